// @ts-check
/** The fitting room: wires pickers, stage and client together. */

import { offerAccount, signedFetch } from "./account.js";
import { TryOnClient, UnfitPictureError } from "./client.js";
import { EngineChoice } from "./engines.js";
import { Fitting, resultOf } from "./fitting.js";
import { forget, latest, remember, userToken } from "./memory.js";
import { acceptDrops, Picker } from "./picker.js";
import { Rail } from "./rail.js";
import { Stage } from "./stage.js";
import { Suggestions } from "./suggestions.js";

const GRACE_MS = 5_000;
const MOST_WORN = 12;
const SAMPLES = new URL("samples/samples.json", import.meta.url);

const client = new TryOnClient({ fetch: signedFetch });
const fitting = new Fitting(client, userToken());
const stage = new Stage();
const suggestions = new Suggestions(client);
const form = /** @type {HTMLFormElement} */ (document.getElementById("wardrobe"));
const go = /** @type {HTMLButtonElement} */ (document.getElementById("go"));
const several = /** @type {HTMLInputElement} */ (document.getElementById("several"));
const rail = new Rail(/** @type {HTMLElement} */ (document.getElementById("rail")), (item) => showItem(item));

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
document.getElementById("erase")?.addEventListener("click", erase);
several.addEventListener("change", () => {
  garments.several = several.checked;
  reconsider();
});
acceptDrops(stage.frame, (file) => people.addOwn(file));
const account = document.getElementById("account");
if (account) offerAccount(account);
const before = latest();
await start();
if (before) await resume(before);

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
function tryOn() {
  const [person, chosen] = [people.value, garments.values];
  if (!person || chosen.length === 0) return;
  const options = engines.options({ again: isShown });
  const keepInMind = (/** @type {string} */ id) => remember(id, person, chosen);
  return work(async (signal) => {
    const userImage = await person.bytes();
    if (chosen.length > 1) {
      rail.show(chosen);
      const worn = await Promise.all(chosen.map(async (one) => ({
        garmentImage: await one.bytes(),
        category: /** @type {any} */ (one.category ?? category()),
      })));
      const watcher = watcherOf(signal, chosen.length, keepInMind);
      return finish(await fitting.dressInAll({ userImage, garments: worn, ...options }, watcher));
    }
    const garmentImage = await chosen[0].bytes();
    const request = { userImage, garmentImage, category: category(), ...options };
    await showResult(await fitting.dress(request, watcherOf(signal, 1, keepInMind), patience()), signal);
  });
}

/** Go on with what this tab was at when it was loaded anew. @param {import("./memory.js").Latest} known */
async function resume(known) {
  const keepInMind = () => remember(known.sessionId, known.person, known.garments);
  stage.showPerson(known.person);
  stage.showGarment(known.garments[0]);
  await work(async (signal) => {
    if (known.garments.length > 1) rail.show(known.garments);
    const items = await fitting.resume(known.sessionId, watcherOf(signal, known.garments.length, keepInMind));
    if (items === null) return settle();
    if (items.length > 1) return finish(items);
    await showResult(resultOf(items[0]), signal);
  });
}

/** Be at work, which the visitor can cancel. @param {(signal: AbortSignal) => Promise<void>} doing */
async function work(doing) {
  const call = new AbortController();
  running = call;
  go.disabled = false;
  go.textContent = "Cancel";
  rail.hide();
  stage.showWork();
  stage.frame.scrollIntoView({ block: "nearest", behavior: "smooth" });
  try {
    await doing(call.signal);
  } catch (error) {
    if (!call.signal.aborted) complain(error);
  } finally {
    if (running === call) release();
  }
}

/**
 * Show what is heard of the work; of several garments, in the row, and the first result at once.
 *
 * @param {AbortSignal} signal
 * @param {number} count
 * @param {(sessionId: string) => unknown} [onAccepted]
 * @returns {import("./fitting.js").Watcher}
 */
function watcherOf(signal, count, onAccepted) {
  const isOne = count === 1;
  return {
    signal,
    onAccepted,
    onProgress: (item, progress) => {
      if (signal.aborted) return;
      if (isOne) stage.showProgress(progress);
      else rail.tell(item, progress);
    },
    onPreview: (_, preview) => void (signal.aborted || !isOne || stage.showPreview(preview)),
    onItem: (item) => {
      if (signal.aborted || isOne || !rail.end(item)) return;
      if (item.result && !isShown) showItem(item);
      else if (!isShown) stage.showCount(rail.ended, count);
    },
  };
}

/** Every item has ended: show one, or say why there is none. @param {import("./sessions.js").Item[]} items */
function finish(items) {
  if (!isShown) resultOf(items[0]);
}

/** Show what came of one garment. @param {import("./sessions.js").Item} item */
function showItem(item) {
  rail.choose(item.item);
  if (item.result) return showResult(item.result);
  if (item.error) stage.showError(item.error);
}

/** @param {import("./client.js").TryOnResult} result @param {AbortSignal} [signal] */
async function showResult(result, signal) {
  if (signal?.aborted) return;
  isShown = true;
  resultUrl = result.resultUrl;
  await stage.showResult(result);
  suggestions.offer(worn);
}

/** What is tried on, as blobs. @returns {Promise<import("./client.js").RecommendationRequest>} */
async function worn() {
  const [person, chosen, url] = [people.value, garments.values, resultUrl];
  if (!person || !url) throw new Error("Nothing is tried on.");
  const [userImage, dressed, ...wardrobe] = await Promise.all([
    person.bytes(),
    fetch(url).then((answer) => answer.blob()),
    ...chosen.slice(0, MOST_WORN).map((garment) => garment.bytes()),
  ]);
  return { userImage, wardrobeImages: wardrobe, generatedImages: [dressed] };
}

/** Erase all that this visitor has sent, and all that was made of it. */
async function erase() {
  const told = /** @type {HTMLElement} */ (document.getElementById("erased"));
  settle();
  stage.rest();
  told.textContent = "Deleting …";
  try {
    await fitting.eraseAll();
    told.textContent = "Your photos and results are deleted from this server.";
  } catch (error) {
    told.textContent = "";
    complain(error);
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
  fitting.cancel();
  suggestions.hide();
  rail.hide();
  forget();
  release();
}

/** Be ready for the next try-on. */
function release() {
  running = null;
  go.textContent = several.checked ? `Try on ${garments.values.length}` : "Try it on";
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
