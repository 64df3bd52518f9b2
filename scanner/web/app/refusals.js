/** Why something was not done, in the person's language; the gateway's own words stand beside what has words here. */

import { Refused, Unreachable } from "./gateway.js";
import { known, t } from "./text.js";

const ROLES = "roles: "; // how the rule begins that an API key of another role breaks

/** What is said of an error to people. @param {Error} error */
export function wordsOf(error) {
  if (error instanceof Unreachable) return known(`gateway.${error.kind}`) ? t(`gateway.${error.kind}`) : t("net.offline");
  if (!(error instanceof Refused)) return t("app.error", { what: error.message });
  const { status, kind, detail, rule } = error;
  if (status === 401) return t("refused.key");
  if (status === 403 && rule?.startsWith(ROLES)) return t("refused.roles", { roles: rule.slice(ROLES.length).split(", ") });
  if (!known(`refused.${kind}`)) return t("refused.other", { what: detail });
  return t("refused.with", { words: t(`refused.${kind}`), detail });
}

/**
 * Why an operation did not do what was asked; null where it did.
 * @param {{state: string, error: string | null, packs: {refusal: string, found: string | null}[]}} operation with one pack
 */
export function refusalOf({ state, error, packs: [pack] }) {
  if (state === "pending") return t("refusal.pending");
  if (state !== "done") return error ? t("refused.with", { words: t("refusal.call"), detail: error }) : t("refusal.call");
  if (pack.refusal === "none") return null;
  return pack.found ? t("refusal.found", { status: pack.found.toUpperCase() }) : t(`refusal.${pack.refusal}`);
}
