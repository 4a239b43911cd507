// @ts-check
/** Who is signed in: requests that carry it, and the way in and out. */

const AUTH = "/api/v1/auth";
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const EXPIRED = "AUTH_1002";
const SIGN_IN_PAGE = "sign-in.html";

/**
 * `fetch` for a page: what changes something carries the CSRF token, and an access token that has
 * expired is refreshed once, whichever tab comes first.
 *
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function signedFetch(input, init = {}) {
  const answer = await sent(input, init);
  if (answer.status !== 401 || !csrfToken()) return answer;
  const body = await answer.clone().json().catch(() => ({}));
  if (body.error_code !== EXPIRED || !(await refresh())) return answer;
  return sent(input, init);
}

/**
 * New tokens for those of this sign-in; false where it has ended.
 *
 * @returns {Promise<boolean>}
 */
export async function refresh() {
  const before = csrfToken();
  if (!before) return false;
  return (await sent(`${AUTH}/refresh`, { method: "POST" })).ok;
}

/**
 * @param {string} email
 * @param {string} password
 * @returns {Promise<string | null>} why not; null when it is done
 */
export async function signIn(email, password) {
  const answer = await sent(`${AUTH}/login`, json({ email, password }));
  if (answer.ok) return null;
  return (await answer.json().catch(() => ({}))).message ?? "That did not work.";
}

/** Sign out, and go where one signs in again. */
export async function signOut() {
  await sent(`${AUTH}/logout`, json({ everywhere: false }));
  location.assign(SIGN_IN_PAGE);
}

/**
 * Who asks, as the server says; null where nobody is let in as he is.
 *
 * @returns {Promise<{kind: string, can_sign_in: boolean} | null>}
 */
export async function whoAmI() {
  const answer = await signedFetch(`${AUTH}/me`);
  return answer.ok ? answer.json() : null;
}

/**
 * Offer the way in or out, where this deployment has one.
 *
 * @param {HTMLElement} place
 */
export async function offerAccount(place) {
  const me = await whoAmI().catch(() => null);
  if (me && !me.can_sign_in) return;
  if (me?.kind === "user") {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = "Sign out";
    button.addEventListener("click", signOut);
    place.append(button);
    return;
  }
  const link = document.createElement("a");
  link.href = SIGN_IN_PAGE;
  link.textContent = "Sign in";
  place.append(link);
}

/**
 * @param {RequestInfo | URL} input
 * @param {RequestInit} init
 */
function sent(input, init) {
  const headers = new Headers(init.headers);
  const token = csrfToken();
  if (token && !SAFE.has((init.method ?? "GET").toUpperCase())) headers.set("X-CSRF-Token", token);
  return fetch(input, { ...init, headers, credentials: "same-origin" });
}

/** @param {object} body */
function json(body) {
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

/** The CSRF token of this sign-in; empty where there is none. */
function csrfToken() {
  return document.cookie.match(/(?:^|;\s*)(?:__Host-)?vton_csrf=([^;]+)/)?.[1] ?? "";
}
