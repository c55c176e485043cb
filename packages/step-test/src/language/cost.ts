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

/** How a way came about: weights were tuned, the model was only asked, or a new head reads frozen features. */
export type WayKind = 'tuned' | 'prompt' | 'features';

/** What a way is cheap or dear by; the same on any machine. */
export interface Price extends Pick<Cost, 'diskBytes' | 'tokensIn' | 'tokensOut'> {
  readonly kind: WayKind;
}

const trains: Readonly<Record<WayKind, number>> = { prompt: 0, features: 1, tuned: 2 };

/** Whether a way costs less than another: it trains less, then it has less to keep, then it needs fewer tokens. */
export function isCheaper(left: Price, right: Price): boolean {
  const order = (price: Price): readonly number[] => [
    trains[price.kind],
    price.diskBytes,
    price.tokensIn + price.tokensOut,
  ];
  const [own, other] = [order(left), order(right)];
  const at = own.findIndex((value, index) => value !== other[index]);
  return (own[at] ?? 0) < (other[at] ?? 0);
}

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
