/** What a way costs. */

/** What it takes to have a way, and to use it. */
export interface Cost {
  /** To train it, or to search its prompt; absent where that is not known. */
  readonly trainingSeconds?: number;
  /** What has to be kept besides the base model. */
  readonly diskBytes: number;
  readonly secondsPerAnswer: number;
  /** Tokens of a question as it is asked, and of its answer. */
  readonly tokensIn: number;
  readonly tokensOut: number;
}

/**
 * Requests after which the time of training has been won back by faster answers than another way's; absent where no time
 * is saved, or the time of training is not known.
 */
export function breakEven(
  { trainingSeconds, secondsPerAnswer }: Pick<Cost, 'trainingSeconds' | 'secondsPerAnswer'>,
  other: Pick<Cost, 'secondsPerAnswer'>,
): number | undefined {
  const saved = other.secondsPerAnswer - secondsPerAnswer;
  return trainingSeconds === undefined || saved <= 0 ? undefined : Math.ceil(trainingSeconds / saved);
}

/** Whether a way costs less than another, by what stays the same on any machine: first what has to be kept, then tokens. */
export const isCheaper = (
  left: Pick<Cost, 'diskBytes' | 'tokensIn' | 'tokensOut'>,
  right: Pick<Cost, 'diskBytes' | 'tokensIn' | 'tokensOut'>,
): boolean =>
  left.diskBytes === right.diskBytes
    ? left.tokensIn + left.tokensOut < right.tokensIn + right.tokensOut
    : left.diskBytes < right.diskBytes;

/** A size for people: `1.9 MB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const index = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** index;
  return `${value < 10 && index > 0 ? value.toFixed(1) : Math.round(value)} ${units[index] ?? ''}`;
}

/** A duration for people: `48 s`, `2 min 5 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
