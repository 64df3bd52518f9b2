"""Reports of suspect packs: what somebody saw, with a photo, beside the change of status on chain."""
