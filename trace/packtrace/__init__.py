"""The library: identifiers, EPCIS, commitments, proofs, rules and the verdict. No web framework, no SQL."""
