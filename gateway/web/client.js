// @ts-check
/**
 * Virtual try-on over HTTP, for browsers and Node 20+, without dependencies.
 *
 *     import { TryOnClient } from "./client.js";
 *     const client = new TryOnClient({ baseUrl: "https://tryon.example" });
 *     const result = await client.tryOn({ userImage, garmentImage, category: "upper_body" });
 *     picture.src = result.resultUrl;
 *
 * Every failure is a TryOnError; `error.code` is the API's code, `error.requestId` finds it in
 * the server's logs.
 */

/**
 * @typedef {"upper_body" | "lower_body" | "dresses"} Category
 *
 * @typedef {object} TryOnRequest
 * @property {Blob} userImage       photo of the person: JPEG, PNG or WebP
 * @property {Blob} [garmentImage]  product photo of the garment, or …
 * @property {string} [garmentId]   … its name in the server's catalogue
 * @property {Blob} [mask]          white where the photo may be changed
 * @property {Category} [category]  default upper_body
 * @property {string} [engine]
 * @property {"jpeg" | "png" | "webp"} [outputFormat]
 * @property {number} [widthPx]     box that the result must fit into
 * @property {number} [heightPx]
 * @property {Blob} [densepose]     the body's surface, as an analysis gave it
 * @property {number} [seed]
 * @property {number} [poseSeed]
 * @property {number} [steps]       these only where the engine honours them, see models()
 * @property {number} [guidanceScale]
 * @property {number} [strength]
 * @property {number} [numSamples]
 * @property {boolean} [autoCrop]
 * @property {boolean} [keepUnmasked]
 * @property {string} [garmentDescription]
 * @property {string} [preset]       numbers for speed or quality, by name
 * @property {number} [deadlineS]    refuse at once what would take longer …
 * @property {number} [leastSteps]   … unless so few steps would do
 * @property {number} [previewEvery] a preview after so many steps, for `onPreview`
 *
 * @typedef {object} Progress
 * @property {string} stage
 * @property {number} step                  the stage is the step-th of `of`, or came so far itself
 * @property {number} of
 * @property {number | null} queuePosition  how many come before; 0: none
 * @property {number | null} estimateS      seconds until it is done
 *
 * @typedef {object} Preview
 * @property {number} step
 * @property {number} of
 * @property {string} url                   a small picture, as a data URL
 *
 * @typedef {object} BodiesRequest
 * @property {number} heightCm
 * @property {number} weightKg
 * @property {number} [count]
 * @property {string} [ethnicity]    this and the other words: see `choices` of models()
 * @property {string} [gender]
 * @property {string} [ageGroup]
 * @property {string} [bodyType]
 * @property {string} [skinTone]
 * @property {string} [pose]
 * @property {number} [seed]
 * @property {number} [steps]
 * @property {number} [guidanceScale]
 * @property {number} [widthPx]
 * @property {number} [heightPx]
 * @property {"jpeg" | "png" | "webp"} [outputFormat]
 *
 * @typedef {object} Bodies
 * @property {string} requestId
 * @property {{url: string, seed: number}[]} images  people who do not exist; each seed draws it again
 * @property {number} blocked        pictures that the safety checker kept back
 * @property {boolean} aiGenerated   always true
 * @property {Date} expiresAt
 * @property {string} engine
 * @property {boolean} cached
 * @property {number} processingTimeMs
 * @property {Record<string, any>} metadata
 *
 * @typedef {object} TryOnWarning
 * @property {string} code
 * @property {string} message
 *
 * @typedef {object} TryOnResult
 * @property {string} requestId
 * @property {string} resultUrl          absolute, signed, valid until `expiresAt`
 * @property {string[]} resultUrls       one per sample, the first being `resultUrl`
 * @property {Date} expiresAt
 * @property {string} engine
 * @property {string} modelVersion
 * @property {boolean} cached
 * @property {number} processingTimeMs
 * @property {number | null} keptShare   share of the photo left untouched, 0..1
 * @property {number | null} confidence  0..1
 * @property {TryOnWarning[]} warnings
 * @property {Record<string, any>} metadata  everything the engine told, as it told it
 *
 * @typedef {object} Analysis
 * @property {string} requestId
 * @property {string} maskUrl        white where a try-on would repaint; may be edited and sent back
 * @property {string} parseMapUrl    a value of `labels` per pixel
 * @property {string} denseposeUrl   the body's surface, for `densepose` of a try-on
 * @property {Date} expiresAt
 * @property {number} widthPx
 * @property {number} heightPx
 * @property {{name: string, x_px: number, y_px: number, confidence: number}[]} keypoints
 * @property {Record<string, number>} labels
 * @property {TryOnWarning[]} warnings
 *
 * @typedef {object} RecommendationRequest
 * @property {Blob} userImage
 * @property {Blob[]} [wardrobeImages]   photos of the person's own clothes
 * @property {Blob[]} [generatedImages]  pictures of the person dressed
 * @property {number} [maxResults]       1..50
 *
 * @typedef {object} Product
 * @property {string} id
 * @property {string} name
 * @property {string} image_url
 * @property {number} price
 * @property {string} currency
 * @property {string} category
 * @property {string} ebay_url
 * @property {number} relevance_score  0..1
 *
 * @typedef {object} Recommendation
 * @property {string} requestId
 * @property {string[]} keywords
 * @property {Product[]} products          the best first
 * @property {string[]} degradedServices   those that were away: something else took their place
 * @property {boolean} cached
 * @property {boolean} standIns            nothing of it is real
 *
 * @typedef {object} Engine
 * @property {string} engine
 * @property {boolean} is_default
 * @property {boolean} ready
 * @property {Category[]} categories
 * @property {string[]} options
 * @property {Record<string, [number, number]>} ranges
 * @property {Record<string, string[]>} [choices]
 * @property {Record<string, Record<string, any>>} [presets]  what each preset's name stands for
 * @property {number} deadline_s    the longest time to an answer
 *
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal]  ends the call early, waiting included
 * @property {number} [timeoutMs]    for one attempt, instead of the client's own
 * @property {(progress: Progress) => void} [onProgress]  of a try-on: hears how far it is
 * @property {(preview: Preview) => void} [onPreview]     of a try-on: sees what it is to be
 */

const RETRIED_STATUS = new Set([429, 503]);
const BUSY_CODES = new Set(["RATE_3001", "RATE_3002", "ML_4001", "ML_4003", "ML_4007"]);
const TOO_LATE = "ML_4007";
const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";
const BODIES_PATH = "/api/v1/bodies";
const RECOMMEND_PATH = "/api/v1/recommendations";
const TRY_ON_PATH = "/api/v1/process-tryon";
const ANALYSE_PATH = "/api/v1/person/analyse";
const MODELS_PATH = "/api/v1/models";

/** The root of all errors. */
export class TryOnError extends Error {
  name = "TryOnError";

  /**
   * @param {string} message
   * @param {{code?: string, status?: number, details?: Record<string, any>,
   *          requestId?: string | null, retryAfterS?: number | null, cause?: unknown}} [facts]
   */
  constructor(message, facts = {}) {
    super(message, { cause: facts.cause });
    this.code = facts.code ?? "";
    this.status = facts.status ?? 0;
    this.details = facts.details ?? {};
    this.requestId = facts.requestId ?? null;
    this.retryAfterS = facts.retryAfterS ?? null;
  }
}

/** A file or a parameter is wrong; `fields` names what. */
export class InvalidInputError extends TryOnError {
  name = "InvalidInputError";

  /** @returns {{field: string, message: string}[]} */
  get fields() {
    return Array.isArray(this.details.fields) ? this.details.fields : [];
  }
}

/** The engine cannot use a picture: `image` is "person_image" or "garment_image". */
export class UnfitPictureError extends TryOnError {
  name = "UnfitPictureError";

  /** @returns {string | null} */
  get image() {
    return this.details.image ?? null;
  }

  /** @returns {string | null} */
  get reason() {
    return this.details.reason ?? null;
  }
}

/** Too many requests, or no room for one more; `retryAfterS` says when to come back. */
export class BusyError extends TryOnError {
  name = "BusyError";
}

/** The server failed, and it is not the caller's fault. */
export class ServerError extends TryOnError {
  name = "ServerError";
}

/** No answer within the time allowed. */
export class TimedOutError extends TryOnError {
  name = "TimedOutError";
}

/** The server cannot be reached. */
export class UnreachableError extends TryOnError {
  name = "UnreachableError";
}

/** One server's try-on API. */
export class TryOnClient {
  #baseUrl;
  #timeoutMs;
  #retries;
  #maxWaitS;
  #fetch;

  /**
   * @param {object} [settings]
   * @param {string} [settings.baseUrl]   default: the page's own origin
   * @param {number} [settings.timeoutMs] for one attempt, the upload included
   * @param {number} [settings.retries]   further attempts after "busy, come back in … s"
   * @param {number} [settings.maxWaitS]  a longer Retry-After is handed to the caller instead
   * @param {typeof fetch} [settings.fetch]
   */
  constructor({ baseUrl, timeoutMs = 60_000, retries = 2, maxWaitS = 20, fetch } = {}) {
    this.#baseUrl = baseUrl ?? globalThis.location?.origin ?? "";
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
    this.#maxWaitS = maxWaitS;
    this.#fetch = fetch ?? globalThis.fetch.bind(globalThis);
  }

  /**
   * Dress the person of one photo in the garment of another.
   *
   * @param {TryOnRequest} request
   * @param {CallOptions} [call]
   * @returns {Promise<TryOnResult>}
   */
  async tryOn(request, call = {}) {
    const body = tryOnForm(request);
    return this.#result(await this.json(TRY_ON_PATH, { method: "POST", body }, call));
  }

  /**
   * Say where clothes, skin and joints are in the photo of a person.
   *
   * @param {{userImage: Blob, category?: Category, autoCrop?: boolean}} request
   * @param {CallOptions} [call]
   * @returns {Promise<Analysis>}
   */
  async analyse({ userImage, ...options }, call = {}) {
    const form = new FormData();
    form.append("user_image", userImage);
    form.append("options", JSON.stringify(snakeCased(options)));
    const answer = await this.json(ANALYSE_PATH, { method: "POST", body: form }, call);
    return {
      requestId: answer.request_id,
      maskUrl: this.absolute(answer.mask_url),
      parseMapUrl: this.absolute(answer.parse_map_url),
      denseposeUrl: this.absolute(answer.densepose_url),
      expiresAt: new Date(answer.expires_at),
      widthPx: answer.width_px,
      heightPx: answer.height_px,
      keypoints: answer.keypoints,
      labels: answer.labels,
      warnings: answer.warnings,
    };
  }

  /**
   * Draw people who do not exist, to try garments on.
   *
   * @param {BodiesRequest} request
   * @param {CallOptions} [call]
   * @returns {Promise<Bodies>}
   */
  async bodies(request, call = {}) {
    const body = JSON.stringify(snakeCased({ ...request }));
    const headers = { "Content-Type": JSON_TYPE };
    const answer = await this.json(BODIES_PATH, { method: "POST", body, headers }, call);
    return {
      requestId: answer.request_id,
      images: answer.images.map((/** @type {{url: string, seed: number}} */ { url, seed }) => ({
        url: this.absolute(url),
        seed,
      })),
      blocked: answer.blocked,
      aiGenerated: answer.ai_generated,
      expiresAt: new Date(answer.expires_at),
      engine: answer.engine,
      cached: answer.cached,
      processingTimeMs: answer.processing_time_ms,
      metadata: answer.metadata ?? {},
    };
  }

  /**
   * What to buy that goes with photos; a server without the feature refuses with EXT_5001.
   *
   * @param {RecommendationRequest} request
   * @param {CallOptions} [call]
   * @returns {Promise<Recommendation>}
   */
  async recommend({ userImage, wardrobeImages = [], generatedImages = [], maxResults }, call = {}) {
    const form = new FormData();
    form.append("user_image", userImage);
    for (const image of wardrobeImages) form.append("wardrobe_images", image);
    for (const image of generatedImages) form.append("generated_images", image);
    if (maxResults !== undefined) form.append("max_results", String(maxResults));
    const answer = await this.json(RECOMMEND_PATH, { method: "POST", body: form }, call);
    return {
      requestId: answer.request_id,
      keywords: answer.keywords,
      products: answer.products,
      degradedServices: answer.degraded_services,
      cached: answer.cached,
      standIns: answer.stand_ins,
    };
  }

  /**
   * The engines, what each can do, and whether it is ready.
   *
   * @param {CallOptions} [call]
   * @returns {Promise<{engines: Engine[], analysers: Engine[]}>}
   */
  async models(call = {}) {
    return this.json(MODELS_PATH, { method: "GET" }, call);
  }

  /**
   * @param {any} answer
   * @returns {TryOnResult}
   */
  #result(answer) {
    const metadata = answer.metadata ?? {};
    const urls = answer.result_urls ?? [answer.result_url];
    return {
      requestId: answer.request_id,
      resultUrl: this.absolute(answer.result_url),
      resultUrls: urls.map((/** @type {string} */ url) => this.absolute(url)),
      expiresAt: new Date(answer.expires_at),
      engine: answer.engine,
      modelVersion: answer.model_version,
      cached: answer.cached,
      processingTimeMs: answer.processing_time_ms,
      keptShare: metadata.kept_share ?? null,
      confidence: metadata.confidence ?? null,
      warnings: metadata.warnings ?? [],
      metadata,
    };
  }

  /** @param {string} url */
  absolute(url) {
    return new URL(url, this.#baseUrl).href;
  }

  /**
   * A stream of Server-Sent Events as they come; a silent one ends as one that was lost.
   *
   * @param {string} path
   * @param {RequestInit} request
   * @param {CallOptions} [call]
   * @returns {AsyncGenerator<{name: string, data: any, id: string | null}>}
   */
  async *events(path, request, call = {}) {
    const silence = new AbortController();
    const beat = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), this.#timeoutMs);
    };
    let timer = setTimeout(() => silence.abort(), this.#timeoutMs);
    try {
      const signals = call.signal ? [call.signal, silence.signal] : [silence.signal];
      const headers = { ...request.headers, Accept: EVENTS_TYPE };
      const signal = AbortSignal.any(signals);
      const asked = { ...request, headers, signal };
      const response = await this.#fetch(new URL(path, this.#baseUrl), asked);
      if (!response.ok) throw await errorOf(response);
      if (response.status !== 204 && response.body) yield* eventsOf(response.body, beat);
    } catch (cause) {
      if (cause instanceof TryOnError) throw cause;
      if (call.signal?.aborted) throw call.signal.reason;
      throw new UnreachableError("The connection was lost.", { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Fetch JSON; come back after Retry-After as often as allowed.
   *
   * @param {string} path
   * @param {RequestInit} request
   * @param {CallOptions} [call]
   * @returns {Promise<any>}
   */
  async json(path, request, call = {}) {
    for (let attempt = 0; ; attempt += 1) {
      const { answer, error } = await this.#once(path, request, call);
      if (!error) return answer;
      const waitS = error.retryAfterS;
      const passes = RETRIED_STATUS.has(error.status) && error.code !== TOO_LATE;
      if (!passes || waitS === null || attempt >= this.#retries || waitS > this.#maxWaitS) throw error;
      await pause(waitS * 1000, call.signal);
    }
  }

  /**
   * One attempt: the answer, or the error that the server answered with.
   *
   * @param {string} path
   * @param {RequestInit} request
   * @param {CallOptions} call
   * @returns {Promise<{answer?: any, error?: TryOnError}>}
   */
  async #once(path, request, call) {
    const { signal, timeoutMs = this.#timeoutMs } = call;
    const limit = AbortSignal.timeout(timeoutMs);
    const accepted = call.onProgress || call.onPreview ? EVENTS_TYPE : JSON_TYPE;
    try {
      const response = await this.#fetch(new URL(path, this.#baseUrl), {
        ...request,
        headers: { ...request.headers, Accept: accepted },
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
      if (!response.ok) return { error: await errorOf(response) };
      if (response.status === 204) return { answer: null };
      return { answer: await answerOf(response, call) };
    } catch (cause) {
      if (cause instanceof TryOnError) throw cause;
      if (signal?.aborted) throw signal.reason;
      if (limit.aborted) {
        throw new TimedOutError(`No answer within ${timeoutMs / 1000} s.`, { cause });
      }
      throw new UnreachableError("The server cannot be reached.", { cause });
    }
  }
}

/**
 * A try-on as a form.
 *
 * @param {TryOnRequest} request
 */
export function tryOnForm({ userImage, garmentImage, mask, densepose, ...options }) {
  const form = new FormData();
  form.append("user_image", userImage);
  if (garmentImage) form.append("garment_image", garmentImage);
  if (mask) form.append("mask", mask);
  if (densepose) form.append("densepose", densepose);
  form.append("options", JSON.stringify(snakeCased(options)));
  return form;
}

/**
 * The typed error of a failed response; understands bodies that are not the API's own, too.
 *
 * @param {Response} response
 * @returns {Promise<TryOnError>}
 */
async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  const requestId = body.request_id ?? response.headers.get("X-Request-Id");
  const retryAfterS = seconds(response.headers.get("Retry-After"));
  return typed({ ...body, request_id: requestId }, response.status, retryAfterS);
}

/**
 * The typed error of an error's body.
 *
 * @param {Record<string, any>} body
 * @param {number} status
 * @param {number | null} retryAfterS
 * @returns {TryOnError}
 */
export function typed(body, status, retryAfterS) {
  const code = typeof body.error_code === "string" ? body.error_code : "";
  const { details = {}, request_id: requestId } = body;
  const facts = { code, status, details, requestId, retryAfterS };
  const message = body.message ?? `The server answered ${status}.`;
  if (code === "ML_4005") return new UnfitPictureError(message, facts);
  if (code.startsWith("VAL_") || code === "ML_4004") return new InvalidInputError(message, facts);
  if (RETRIED_STATUS.has(status)) return new BusyError(message, facts);
  if (status >= 500) return new ServerError(message, facts);
  return new TryOnError(message, facts);
}

/**
 * The answer's JSON; of a stream of events, what its last one says, the others being told.
 *
 * @param {Response} response
 * @param {CallOptions} call
 */
async function answerOf(response, { onProgress, onPreview }) {
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith(EVENTS_TYPE) || !response.body) return response.json();
  for await (const { name, data } of eventsOf(response.body)) {
    const { stage, step, of } = data;
    if (name === "result") return data;
    if (name === "error") throw typed(data, BUSY_CODES.has(data.error_code) ? 503 : 500, null);
    if (name === "preview") onPreview?.({ step, of, url: data.image });
    if (name === "progress") {
      const [queuePosition, estimateS] = [data.queue_position, data.estimate_s];
      onProgress?.({ stage, step, of, queuePosition, estimateS });
    }
  }
  throw new UnreachableError("The connection was lost.");
}

/**
 * Server-Sent Events as they come; comments are left out.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} [onSign]  hears every sign of life, comments included
 * @returns {AsyncGenerator<{name: string, data: any, id: string | null}>}
 */
async function* eventsOf(body, onSign) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onSign?.();
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const found = /^(?:id: (.*)\n)?event: (.*)\ndata: (.*)$/.exec(block);
        if (found) yield { id: found[1] ?? null, name: found[2], data: JSON.parse(found[3]) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Retry-After as seconds from now: a number, or an HTTP date.
 *
 * @param {string | null} header
 * @returns {number | null}
 */
function seconds(header) {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * The API's names: widthPx becomes width_px; what is undefined is left out.
 *
 * @param {Record<string, unknown>} options
 */
export function snakeCased(options) {
  const pairs = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    pairs.map(([name, value]) => [name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );
}
