// judge: what the networks say of pictures of one face: deepfake/inference.py and scores.py once more.
import * as ort from "./ort.js";
import { distance, look } from "./novelty.js";
import { range } from "./pixels.js";

ort.env.wasm.numThreads = 1; // more need headers that few servers send
ort.env.wasm.wasmPaths = { wasm: new URL("ort.wasm", import.meta.url).href };

// The detector of this folder. Rejects where a file of it is missing or broken.
export async function load() {
  const detector = await (await got("detector.json")).json();
  for (const member of detector.members) {
    member.session = await ort.InferenceSession.create(new Uint8Array(await (await got(member.file)).arrayBuffer()));
    member.heard = new Map(); // sequences that were judged -> their logits
  }
  return detector;
}

async function got(file) {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  return answer;
}

// All `count` pictures as sequences of at most `frames`: clips.sequences.
export function sequences(count, frames, sampling) {
  const step = Math.ceil(count / frames), length = Math.min(count, frames);
  if (sampling === "spread") return range(step).map((start) => range(count).filter((i) => i % step === start));
  return range(step).map((n) => range(length).map((i) => Math.min(n * frames, count - length) + i));
}

// The logit of pictures, each (side, side, 4) RGBA; what is missing of a sequence is masked, last.
async function logit({ session, frames, side }, pictures) {
  const plane = side ** 2, clip = new Float32Array(frames * 3 * plane), mask = new Uint8Array(frames);
  pictures.forEach((rgba, t) => {
    mask[t] = 1;
    for (let c = 0; c < 3; c++) for (let p = 0; p < plane; p++) clip[(3 * t + c) * plane + p] = rgba[4 * p + c] / 255;
  });
  const clips = new ort.Tensor("float32", clip, [1, frames, 3, side, side]);
  const { logits } = await session.run({ clips, mask: new ort.Tensor("bool", mask, [1, frames]) });
  return logits.data[0];
}

// What is said of pictures, as of a track: Detector.track. `pixels(picture, side)` gives a picture, whose id is another
// one when it changes. `goes(done, all)` is asked before each run; it resolves to false to give up: then null comes.
export async function track(detector, pictures, pixels, goes) {
  const { members, bound } = detector;
  const plans = members.map((member) => sequences(pictures.length, member.frames, member.sampling));
  const all = plans.flat().length, each = [], far = [];
  let done = 0;
  for (const [m, member] of members.entries()) {
    const faces = [], own = [];
    for (const picture of pictures) faces.push(await pixels(picture, member.side));
    for (const part of plans[m]) {
      if (!(await goes(done++, all))) return null;
      const key = part.map((i) => pictures[i].id).join();
      if (!member.heard.has(key)) member.heard.set(key, await logit(member, part.map((i) => faces[i])));
      own.push(member.heard.get(key));
    }
    each.push(own);
    if (member.known) far.push(distance(member.known, faces.map((face) => look(face, member.side))));
  }
  const alike = plans.every((plan) => plan.length === plans[0].length), whole = [range(pictures.length)];
  const logits = alike ? plans[0].map((_, n) => mean(each.map((own) => own[n]))) : [mean(each.map(mean))];
  const novelty = bound && far.length === members.length ? mean(far) / bound : null;
  return { logits, logit: mean(logits), parts: alike ? plans[0] : whole, novelty };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// P(fake), the verdict, and why it is "inconclusive": scoring.judged and predict.doubt.
export function judged({ scoring, threshold, digits, untrained }, logit, novelty) {
  const odds = scoring.slope * logit + scoring.intercept;
  const score = Number((1 / (1 + Math.exp(-odds))).toFixed(digits));
  let reason = "";
  if (untrained) reason = `This detector did not learn to tell fakes: ${untrained}.`;
  else if (novelty > 1)
    reason = `Unlike the training data: ${novelty.toFixed(1)} times as far from it as pictures may be.`;
  else if (scoring.doubt && Math.abs(Math.log(score / (1 - score))) < scoring.doubt)
    reason = "The odds are nearer to even than those of which this detector speaks.";
  return { score, reason, verdict: reason ? "inconclusive" : score >= threshold ? "fake" : "real" };
}
