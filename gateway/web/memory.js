// @ts-check
/** What this browser keeps: whose sessions these are, and which one the tab was at. */

import { newUserToken } from "./sessions.js";

const TOKEN = "vton-user-token";
const LATEST = "vton-latest";
const SMALL_PX = 640;

/**
 * @typedef {{url: string, label: string}} Shown
 *
 * @typedef {object} Latest
 * @property {string} sessionId
 * @property {Shown} person
 * @property {Shown[]} garments
 */

/** The visitor's token, which owns his sessions. @returns {string} */
export function userToken() {
  const known = read(localStorage, TOKEN);
  if (known) return known;
  const fresh = newUserToken();
  write(localStorage, TOKEN, fresh);
  return fresh;
}

/** The session that this tab was at. @returns {Latest | null} */
export function latest() {
  const told = read(sessionStorage, LATEST);
  return told ? JSON.parse(told) : null;
}

/**
 * Keep in mind which session this tab is at, with small copies of the visitor's own pictures.
 *
 * @param {string} sessionId
 * @param {Shown} person
 * @param {Shown[]} garments
 */
export async function remember(sessionId, person, garments) {
  const shown = await Promise.all([person, ...garments].map(small));
  const told = { sessionId, person: shown[0], garments: shown.slice(1) };
  write(sessionStorage, LATEST, JSON.stringify(told));
}

/** Let it go. */
export function forget() {
  write(sessionStorage, LATEST, null);
}

/** @param {Shown} picture @returns {Promise<Shown>} */
async function small({ url, label }) {
  if (!url.startsWith("blob:")) return { url, label };
  const image = new Image();
  image.src = url;
  await image.decode();
  const scale = Math.min(1, SMALL_PX / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.naturalWidth * scale);
  canvas.height = Math.round(image.naturalHeight * scale);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return { url: canvas.toDataURL("image/jpeg", 0.8), label };
}

/** @param {Storage} storage @param {string} key */
function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

/** What cannot be kept is done without. @param {Storage} storage @param {string} key @param {string | null} value */
function write(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // Blocked or full: the page works until it is closed.
  }
}
