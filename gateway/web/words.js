// @ts-check
/** What the page says about a result and about an error. */

import {
  BusyError,
  InvalidInputError,
  TimedOutError,
  TryOnError,
  UnfitPictureError,
  UnreachableError,
} from "./client.js";

/** @typedef {import("./client.js").TryOnResult} TryOnResult */

/**
 * The facts worth a visitor's glance, as name and value.
 *
 * @param {TryOnResult} result
 * @returns {[string, string][]}
 */
export function factsOf(result) {
  const seconds = `${(result.processingTimeMs / 1000).toFixed(2)} s`;
  /** @type {[string, string][]} */
  const facts = [
    ["Time", result.cached ? `${seconds}, from cache` : seconds],
    ["Engine", `${result.engine} ${result.modelVersion}`],
  ];
  if (result.keptShare !== null) {
    facts.push(["Left untouched", `${(result.keptShare * 100).toFixed(0)} % of the photo`]);
  }
  if (result.confidence !== null) {
    facts.push(["Confidence", `${(result.confidence * 100).toFixed(0)} %`]);
  }
  return facts;
}

/** What the worker does in each of its stages. @type {Record<string, string>} */
const STAGES = {
  queue: "Waiting",
  segmentation: "Looking at the person",
  pose: "Looking at the person",
  garment_transfer: "Dressing",
  encode: "Finishing",
};

/**
 * How far a try-on is, in words.
 *
 * @param {import("./client.js").Progress} progress
 * @returns {string}
 */
export function describeProgress({ stage, step, of, queuePosition, estimateS }) {
  const words = [STAGES[stage] ?? "Working"];
  if (step > 0) words.push(`step ${step} of ${of}`);
  if (queuePosition) words.push(`${queuePosition} before you`);
  if (estimateS !== null) words.push(`about ${Math.max(1, Math.ceil(estimateS))} s to go`);
  return words.join(", ");
}

/**
 * An error in words: what happened, what helps, and the id to ask the operator about.
 *
 * @param {unknown} error
 * @returns {{title: string, advice: string, requestId: string | null}}
 */
export function describeError(error) {
  if (!(error instanceof TryOnError)) {
    return { title: "The page stumbled.", advice: String(error), requestId: null };
  }
  const advice = adviceFor(error);
  return { title: error.message, advice, requestId: error.requestId };
}

/** @param {TryOnError} error */
function adviceFor(error) {
  if (error instanceof UnfitPictureError) {
    return error.image === "garment_image"
      ? "Use a product photo: one garment, from the front, on a plain ground."
      : "Use a photo that shows one person from the front, the whole garment in sight.";
  }
  if (error instanceof InvalidInputError) {
    return error.fields.map(({ field, message }) => `${field}: ${message}`).join("; ");
  }
  if (error instanceof BusyError) {
    return error.retryAfterS ? `Come back in ${Math.ceil(error.retryAfterS)} s.` : "Try again soon.";
  }
  if (error instanceof TimedOutError || error instanceof UnreachableError) {
    return "Check the connection and try again.";
  }
  return "Try again; if it stays, tell the operator the request id.";
}
