// @ts-check
/** The sign-in page: goes on at once where somebody is signed in already. */

import { refresh, signIn, whoAmI } from "./account.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("sign-in"));
const trouble = /** @type {HTMLElement} */ (document.getElementById("trouble"));
const go = /** @type {HTMLButtonElement} */ (document.getElementById("go"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = new FormData(form);
  go.disabled = true;
  const reason = await signIn(String(told.get("email")), String(told.get("password"))).catch(
    () => "The server cannot be reached.",
  );
  go.disabled = false;
  trouble.textContent = reason ?? "";
  trouble.hidden = reason === null;
  if (reason === null) goOn();
});

// Who comes by a link from elsewhere brings no cookies along; this page's own requests do.
if ((await whoAmI().catch(() => null))?.kind === "user" || (await refresh().catch(() => false))) {
  goOn();
}

/** Go where the visitor was on his way to, within this site. */
function goOn() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const target = new URL(next, location.origin);
  location.replace(target.origin === location.origin ? target : "/");
}
