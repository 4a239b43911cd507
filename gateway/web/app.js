// @ts-check
/** The fitting room: wires pickers, stage and client together. */

import { offerAccount, signedFetch } from "./account.js";
import { TryOnClient, UnfitPictureError } from "./client.js";
import { EngineChoice } from "./engines.js";
import { acceptDrops, Picker } from "./picker.js";
import { Stage } from "./stage.js";

const GRACE_MS = 5_000;
const SAMPLES = new URL("samples/samples.json", import.meta.url);

const client = new TryOnClient({ fetch: signedFetch });
const stage = new Stage();
const form = /** @type {HTMLFormElement} */ (document.getElementById("wardrobe"));
const go = /** @type {HTMLButtonElement} */ (document.getElementById("go"));

const people = new Picker(fieldset("people"), (picture) => {
  settle();
  stage.showPerson(picture);
});
const garments = new Picker(fieldset("garments"), (picture) => {
  settle();
  stage.showGarment(picture);
  if (picture.category) setCategory(picture.category);
});

const engines = new EngineChoice(fieldset("engines"), fieldset("presets"), reconsider);

/** @type {AbortController | null} */
let running = null;
/** @type {string | null} */
let resultUrl = null;
let isShown = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) settle();
  else tryOn();
});
document.getElementById("categories")?.addEventListener("change", reconsider);
document.getElementById("keep")?.addEventListener("click", keep);
acceptDrops(stage.frame, (file) => people.addOwn(file));
const account = document.getElementById("account");
if (account) offerAccount(account);
await start();

/** Offer the samples, and the engines where there is a choice. */
async function start() {
  client.models().then((all) => engines.offer(all.engines), () => {});
  const samples = await (await fetch(SAMPLES)).json();
  people.addSamples(samples.people, SAMPLES);
  garments.addSamples(samples.garments, SAMPLES);
  const notice = document.getElementById("notice");
  if (notice) notice.textContent = `${samples.notice}.`;
}

/** Send the chosen pictures and show what comes back. */
async function tryOn() {
  const [person, garment] = [people.value, garments.value];
  if (!person || !garment) return;
  const call = new AbortController();
  running = call;
  go.textContent = "Cancel";
  stage.showWork();
  stage.frame.scrollIntoView({ block: "nearest", behavior: "smooth" });
  try {
    const [userImage, garmentImage] = await Promise.all([person.bytes(), garment.bytes()]);
    const engine = engines.options({ again: isShown });
    const request = { userImage, garmentImage, category: category(), ...engine };
    const result = await client.tryOn(request, {
      signal: call.signal,
      onProgress: (progress) => void (call.signal.aborted || stage.showProgress(progress)),
      onPreview: (preview) => void (call.signal.aborted || stage.showPreview(preview)),
      ...patience(),
    });
    if (call.signal.aborted) return;
    await stage.showResult(result);
    resultUrl = result.resultUrl;
    isShown = true;
  } catch (error) {
    if (!call.signal.aborted) complain(error);
  } finally {
    if (running === call) release();
  }
}

/** Wear the result as the next photo: trousers after the shirt. */
async function keep() {
  if (!resultUrl) return;
  const response = await fetch(resultUrl);
  await people.addOwn(await response.blob(), "Dressed");
}

/** @param {unknown} error */
function complain(error) {
  stage.showError(error);
  if (error instanceof UnfitPictureError) {
    const picker = error.image === "garment_image" ? garments : people;
    picker.complain("Choose another picture.");
  }
}

/** Another category or engine: what is shown is no longer what was asked for. */
function reconsider() {
  settle();
  stage.rest();
}

/** A choice has changed: what is running no longer matters. */
function settle() {
  if (running) stage.rest();
  isShown = false;
  running?.abort();
  release();
}

/** Be ready for the next try-on. */
function release() {
  running = null;
  go.textContent = "Try it on";
  go.disabled = !(people.value && garments.value);
}

/** As long as the chosen engine may take. @returns {import("./client.js").CallOptions} */
function patience() {
  const { deadlineS } = engines;
  return deadlineS ? { timeoutMs: deadlineS * 1000 + GRACE_MS } : {};
}

/** @returns {import("./client.js").Category} */
function category() {
  return /** @type {any} */ (new FormData(form).get("category"));
}

/** @param {string} value */
function setCategory(value) {
  const radio = form.querySelector(`input[name=category][value=${CSS.escape(value)}]`);
  if (radio) /** @type {HTMLInputElement} */ (radio).checked = true;
}

/** @param {string} id */
function fieldset(id) {
  return /** @type {HTMLFieldSetElement} */ (document.getElementById(id));
}
