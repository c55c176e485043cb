import { makeRandom } from '@joyul/models';

/** How the next token is drawn. */
export interface Sampling {
  /** Divides the logits; 0, the default, always takes the likeliest token. */
  readonly temperature?: number;
  /** Only so many of the likeliest tokens are drawn from; absent means all. */
  readonly topK?: number;
  /** Only the likeliest tokens that together reach this probability are drawn from; the default is 1. */
  readonly topP?: number;
  /** What the draws depend on; the default is 0. */
  readonly seed?: number;
}

/** The index of the largest logit; the first of equal ones. */
function findLargest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if ((logits[id] ?? 0) > (logits[best] ?? 0)) best = id;
  return best;
}

interface Candidate {
  readonly id: number;
  /** exp((logit − largest) / temperature) */
  readonly weight: number;
}

/** The tokens that are drawn from, likeliest first. Those below e⁻⁴⁰ of the likeliest are never drawn. */
function findCandidates(
  logits: Float32Array,
  { temperature = 0, topK, topP = 1 }: Sampling,
): readonly Candidate[] {
  const largest = logits[findLargest(logits)] ?? 0;
  const candidates: Candidate[] = [];
  for (const [id, logit] of logits.entries()) {
    const power = (logit - largest) / temperature;
    if (power > -40) candidates.push({ id, weight: Math.exp(power) });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.id - b.id);
  const likeliest = candidates.slice(0, topK ?? candidates.length);
  const enough = topP * likeliest.reduce((total, { weight }) => total + weight, 0);
  let sum = 0;
  const last = likeliest.findIndex(({ weight }) => (sum += weight) >= enough);
  return last === -1 ? likeliest : likeliest.slice(0, last + 1);
}

/**
 * A chooser of tokens from logits [vocabulary]: the likeliest, or drawn at a temperature (top-k, then nucleus sampling
 * after Holtzman et al. 2020).
 */
export function makeTokenChooser(sampling: Sampling = {}): (logits: Float32Array) => number {
  const { temperature = 0, seed = 0 } = sampling;
  if (temperature <= 0) return findLargest;
  const random = makeRandom(seed);
  return (logits) => {
    const candidates = findCandidates(logits, sampling);
    let rest = random() * candidates.reduce((total, { weight }) => total + weight, 0);
    const chosen = candidates.find(({ weight }) => (rest -= weight) < 0);
    return (chosen ?? candidates.at(-1))?.id ?? 0;
  };
}
