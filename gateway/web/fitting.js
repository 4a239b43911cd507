// @ts-check
/** Has people dressed: as sessions, which outlive the page, or by one call where there are none. */

import { TryOnError } from "./client.js";
import { SessionClient } from "./sessions.js";

/**
 * @typedef {import("./client.js").TryOnRequest} TryOnRequest
 * @typedef {import("./client.js").TryOnResult} TryOnResult
 * @typedef {import("./client.js").CallOptions} CallOptions
 * @typedef {import("./sessions.js").Item} Item
 *
 * @typedef {object} Watcher
 * @property {AbortSignal} signal
 * @property {(sessionId: string) => unknown} [onAccepted]
 * @property {(item: number, progress: import("./client.js").Progress) => void} onProgress
 * @property {(item: number, preview: import("./client.js").Preview) => void} onPreview
 * @property {(item: Item) => void} [onItem]  hears of each item that has ended
 */

const NO_SESSIONS = new Set([404, 405, 501]);

export class Fitting {
  #client;
  #sessions;
  /** @type {string | null} the session that is under way */
  #current = null;

  /**
   * @param {import("./client.js").TryOnClient} client
   * @param {string} userToken
   */
  constructor(client, userToken) {
    this.#client = client;
    this.#sessions = new SessionClient(client, { userToken });
  }

  /**
   * Dress somebody.
   *
   * @param {TryOnRequest} request
   * @param {Watcher} watcher
   * @param {CallOptions} patience
   * @returns {Promise<TryOnResult>}
   */
  async dress(request, watcher, patience) {
    let session;
    try {
      session = await this.#sessions.create(request, { signal: watcher.signal });
    } catch (error) {
      if (!(error instanceof TryOnError && NO_SESSIONS.has(error.status))) throw error;
      return this.#client.tryOn(request, {
        ...patience,
        signal: watcher.signal,
        onProgress: (progress) => watcher.onProgress(0, progress),
        onPreview: (preview) => watcher.onPreview(0, preview),
      });
    }
    const [item] = await this.#followed(session.sessionId, watcher);
    return resultOf(item);
  }

  /**
   * Dress somebody in each of several garments.
   *
   * @param {{userImage: Blob, garments: import("./sessions.js").BatchGarment[]} & Record<string, any>} request
   * @param {Watcher} watcher
   * @returns {Promise<Item[]>}
   */
  async dressInAll(request, watcher) {
    const session = await this.#sessions.createBatch(request, { signal: watcher.signal });
    return this.#followed(session.sessionId, watcher);
  }

  /**
   * Go on with a session that an earlier page began; null if there is none any more.
   *
   * @param {string} sessionId
   * @param {Watcher} watcher
   * @returns {Promise<Item[] | null>}
   */
  async resume(sessionId, watcher) {
    try {
      return await this.#followed(sessionId, watcher);
    } catch (error) {
      if (error instanceof TryOnError && error.status === 404) return null;
      throw error;
    }
  }

  /** End what is under way; its photos stay until they are deleted or expire. */
  cancel() {
    const sessionId = this.#current;
    this.#current = null;
    if (sessionId) this.#sessions.cancel(sessionId).catch(() => {});
  }

  /** Erase every session of this visitor, photos and results. @returns {Promise<number>} how many */
  async eraseAll() {
    for (let erased = 0; ; ) {
      const { sessions } = await this.#sessions.list({ limit: 100 });
      if (sessions.length === 0) return erased;
      for (const { sessionId } of sessions) await this.#sessions.remove(sessionId);
      erased += sessions.length;
    }
  }

  /**
   * Watch a session to its end.
   *
   * @param {string} sessionId
   * @param {Watcher} watcher
   * @returns {Promise<Item[]>}
   */
  async #followed(sessionId, watcher) {
    this.#current = sessionId;
    await watcher.onAccepted?.(sessionId);
    const { signal } = watcher;
    for await (const { name, data } of this.#sessions.watch(sessionId, { signal })) {
      if (signal.aborted) break;
      if (name === "progress") watcher.onProgress(data.item, progressOf(data));
      if (name === "preview") {
        watcher.onPreview(data.item, { step: data.step, of: data.of, url: data.image });
      }
      if (name === "item" && data.result) {
        watcher.onItem?.(this.#sessions.item(data.result, data));
      }
      if (name === "gone") throw new TryOnError("This try-on was deleted.", { status: 410 });
    }
    signal.throwIfAborted();
    const session = await this.#sessions.get(sessionId, { signal });
    if (this.#current === sessionId) this.#current = null;
    for (const item of session.items) watcher.onItem?.(item);
    return session.items;
  }
}

/** @param {Item} item @returns {TryOnResult} */
export function resultOf({ result, error, state }) {
  if (result) return result;
  throw error ?? new TryOnError(`This try-on was ${state}.`, { status: 410 });
}

/** @param {Record<string, any>} data @returns {import("./client.js").Progress} */
function progressOf({ stage, step, of, queue_position: position, estimate_s: estimate }) {
  return { stage, step, of, queuePosition: position ?? null, estimateS: estimate ?? null };
}
