// @ts-check
/**
 * Try-ons that are accepted at once and made whatever happens meanwhile: create, watch, collect.
 *
 *     const sessions = new SessionClient(new TryOnClient(), { userToken });
 *     const { sessionId } = await sessions.create({ userImage, garmentImage });
 *     for await (const event of sessions.watch(sessionId)) console.log(event.name, event.data);
 *     const session = await sessions.get(sessionId);
 *
 * Whoever holds the user token owns the sessions: keep it, and keep it secret.
 */

import { TryOnError, UnreachableError, pause, snakeCased, tryOnForm, typed } from "./client.js";

const PATH = "/api/v1/tryon/sessions";
const BATCHES_PATH = "/api/v1/tryon/batches";
const ENDED = new Set(["completed", "failed", "cancelled", "expired"]);
const TOKEN_BYTES = 24;
const CHUNK_BYTES = 0x8000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/**
 * @typedef {import("./client.js").TryOnRequest} TryOnRequest
 * @typedef {import("./client.js").TryOnResult} TryOnResult
 * @typedef {import("./client.js").CallOptions} CallOptions
 * @typedef {"created" | "processing" | "completed" | "failed" | "cancelled" | "expired"} State
 *
 * @typedef {object} Item
 * @property {number} item
 * @property {number} person           which of the batch's people
 * @property {number} garment          which of the batch's garments
 * @property {State} state
 * @property {TryOnResult | null} result
 * @property {TryOnError | null} error
 *
 * @typedef {object} Session
 * @property {string} sessionId
 * @property {State} state
 * @property {boolean} hasEnded
 * @property {string} engine
 * @property {number | null} queuePosition
 * @property {number | null} estimateS
 * @property {number} lastEvent
 * @property {Date} expiresAt
 * @property {Item[]} items
 *
 * @typedef {object} SessionEvent
 * @property {"state" | "item" | "progress" | "preview" | "gone"} name
 * @property {number | null} id         what watching can be resumed behind
 * @property {Record<string, any>} data
 *
 * @typedef {object} BatchGarment
 * @property {Blob} garmentImage
 * @property {import("./client.js").Category} [category]
 */

/** A random token for a visitor who has none yet. @returns {string} */
export function newUserToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
}

/** One owner's sessions on one server. */
export class SessionClient {
  #client;
  #headers;

  /**
   * @param {import("./client.js").TryOnClient} client
   * @param {{userToken: string}} settings
   */
  constructor(client, { userToken }) {
    this.#client = client;
    this.#headers = { "X-User-Token": userToken };
  }

  /**
   * Have somebody dressed; a repeat with the same `key` gives the first session.
   *
   * @param {TryOnRequest} request
   * @param {CallOptions & {key?: string}} [call]
   * @returns {Promise<Session>}
   */
  async create(request, call = {}) {
    return this.#made(PATH, { body: tryOnForm(request) }, call);
  }

  /**
   * Have one person dressed in each of several garments, each with a result of its own.
   *
   * @param {{userImage: Blob, garments: BatchGarment[]} & Record<string, any>} request
   * @param {CallOptions & {key?: string}} [call]
   * @returns {Promise<Session>}
   */
  async createBatch({ userImage, garments, ...options }, call = {}) {
    const pictures = [userImage, ...garments.map((one) => one.garmentImage)];
    const [person, ...clothes] = await Promise.all(pictures.map(encoded));
    const worn = garments.map(({ category }, place) => {
      return snakeCased({ garmentImage: clothes[place], category });
    });
    const told = { people: [{ user_image: person }], garments: worn, options: snakeCased(options) };
    const headers = { "Content-Type": "application/json" };
    return this.#made(BATCHES_PATH, { body: JSON.stringify(told), headers }, call);
  }

  /**
   * A session as it stands, with fresh links.
   *
   * @param {string} sessionId
   * @param {CallOptions} [call]
   * @returns {Promise<Session>}
   */
  async get(sessionId, call = {}) {
    return this.#read(await this.#json(`${PATH}/${sessionId}`, {}, call));
  }

  /**
   * The pictures that a session was made with: for each item, links by the fields they came in.
   *
   * @param {string} sessionId
   * @param {CallOptions} [call]
   * @returns {Promise<Record<string, string>[]>}
   */
  async inputs(sessionId, call = {}) {
    const { items } = await this.#json(`${PATH}/${sessionId}/inputs`, {}, call);
    return items.map((/** @type {any} */ one) => {
      const links = Object.entries(one.image_urls);
      return Object.fromEntries(links.map(([field, url]) => [field, this.#client.absolute(url)]));
    });
  }

  /**
   * The owner's sessions, the newest first.
   *
   * @param {{limit?: number, cursor?: string, state?: State}} [which]
   * @param {CallOptions} [call]
   * @returns {Promise<{sessions: Session[], nextCursor: string | null}>}
   */
  async list(which = {}, call = {}) {
    const query = new URLSearchParams(/** @type {any} */ (snakeCased(which)));
    const page = await this.#json(`${PATH}?${query}`, {}, call);
    const sessions = page.sessions.map((/** @type {any} */ one) => this.#read(one));
    return { sessions, nextCursor: page.next_cursor };
  }

  /**
   * End a session; what has ended stays as it is.
   *
   * @param {string} sessionId
   * @param {CallOptions} [call]
   * @returns {Promise<Session>}
   */
  async cancel(sessionId, call = {}) {
    const path = `${PATH}/${sessionId}/cancel`;
    return this.#read(await this.#json(path, { method: "POST" }, call));
  }

  /**
   * Erase a session with its photos and its results, now and for good; gives the signed receipt as it
   * was answered, so that it can be checked.
   *
   * @param {string} sessionId
   * @param {CallOptions} [call]
   * @returns {Promise<Record<string, any>>}
   */
  async remove(sessionId, call = {}) {
    return this.#json(`${PATH}/${sessionId}`, { method: "DELETE" }, call);
  }

  /**
   * All that happens to a session, in order, to its end; a lost connection is taken up again where
   * it broke, as often as it takes.
   *
   * @param {string} sessionId
   * @param {CallOptions & {after?: number}} [call]
   * @returns {AsyncGenerator<SessionEvent>}
   */
  async *watch(sessionId, { after = 0, ...call } = {}) {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const headers = { ...this.#headers, "Last-Event-ID": String(after) };
      try {
        for await (const { name, data, id } of this.#client.events(`${PATH}/${sessionId}/events`, { headers }, call)) {
          pauseMs = FIRST_PAUSE_MS;
          if (id !== null) after = Number(id);
          yield { name: /** @type {SessionEvent["name"]} */ (name), data, id: id === null ? null : after };
          if (name === "gone" || (name === "state" && ENDED.has(data.state))) return;
        }
        if ((await this.get(sessionId, call)).hasEnded) return;
      } catch (error) {
        if (!mayPass(error)) throw error;
      }
      await pause(pauseMs, call.signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   * @param {CallOptions & {key?: string}} call
   */
  async #made(path, request, { key = newUserToken(), ...call }) {
    const headers = { ...request.headers, "Idempotency-Key": key };
    return this.#read(await this.#json(path, { ...request, method: "POST", headers }, call));
  }

  /** @param {string} path @param {RequestInit} request @param {CallOptions} call */
  #json(path, request, call) {
    const { onProgress, onPreview, ...plain } = call;
    return this.#client.json(path, { ...request, headers: { ...this.#headers, ...request.headers } }, plain);
  }

  /** @param {any} told @returns {Session} */
  #read(told) {
    return {
      sessionId: told.session_id,
      state: told.state,
      hasEnded: ENDED.has(told.state),
      engine: told.engine,
      queuePosition: told.queue_position,
      estimateS: told.estimate_s,
      lastEvent: told.last_event,
      expiresAt: new Date(told.expires_at),
      items: told.items.map((/** @type {any} */ one) => this.item(one, told)),
    };
  }

  /**
   * An item as an `item` event brings it, under `result`.
   *
   * @param {any} told
   * @param {{session_id: string, engine?: string}} session
   * @returns {Item}
   */
  item(told, session) {
    const { item, person, garment, state } = told;
    return { item, person, garment, state, result: this.#result(told, session), error: errorOf(told, session) };
  }

  /** @param {any} told @param {{session_id: string, engine?: string}} session @returns {TryOnResult | null} */
  #result(told, session) {
    if (told.result_urls.length === 0) return null;
    const metadata = told.metadata ?? {};
    const urls = told.result_urls.map((/** @type {string} */ url) => this.#client.absolute(url));
    return {
      requestId: session.session_id,
      resultUrl: urls[0],
      resultUrls: urls,
      expiresAt: new Date(told.links_expire_at),
      engine: session.engine ?? metadata.engine ?? "",
      modelVersion: metadata.model_version ?? "",
      cached: told.cached ?? false,
      processingTimeMs: told.processing_time_ms ?? 0,
      keptShare: metadata.kept_share ?? null,
      confidence: metadata.confidence ?? null,
      warnings: metadata.warnings ?? [],
      metadata,
    };
  }
}

/** @param {any} told @param {{session_id: string}} session @returns {TryOnError | null} */
function errorOf({ error }, session) {
  return error ? typed({ ...error, request_id: session.session_id }, 500, null) : null;
}

/** A picture within JSON. @param {Blob} picture */
async function encoded(picture) {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK_BYTES));
  }
  return { base64: btoa(text), media_type: picture.type };
}

/** Whether trying again may help. @param {unknown} error */
function mayPass(error) {
  if (error instanceof UnreachableError) return true;
  return error instanceof TryOnError && (error.status === 429 || error.status >= 500);
}
