import { percent } from '@joyul/metrics';

/** What the choice of a method rests on. */
export interface Evidence {
  /** Labelled training rows. */
  readonly rows: number;
  readonly classes: number;
  /** Cross-validated probe accuracy after 0 … n layers. */
  readonly depthProfile: readonly number[];
  /** Cross-validated accuracy of the words-only baseline on the same rows. */
  readonly bagOfWords: number;
  /** Cores of this machine. */
  readonly cores: number;
  /** Weights of the encoder. */
  readonly weights: number;
}

/** What auto chose. */
export interface Decision {
  readonly method: 'full' | 'repurpose' | 'lora' | 'extract';
  /** How many of the top layers are trained. */
  readonly top: number;
  readonly reason: string;
  readonly confidence: 'low' | 'medium' | 'high';
}

/** Weights above which training every layer is long on few cores. */
const heavyPerCore = 100e6;

/**
 * Chooses how far to tune, from the task gap (probe accuracy on the last layer), the similarity (whether the
 * last layers help or an earlier one is better), the data size and the resources. The thresholds are
 * starting points; the test step shows whether the choice paid.
 */
export function decide(evidence: Evidence): Decision {
  const { rows, classes, depthProfile, bagOfWords, cores, weights } = evidence;
  const layers = depthProfile.length - 1;
  const last = depthProfile[layers] ?? 0;
  const best = Math.max(...depthProfile);
  const bestLayer = depthProfile.indexOf(best);
  const perClass = rows / Math.max(1, classes);
  const isFar = last < bagOfWords;
  // The sampling error of an accuracy measured on these rows.
  const error = Math.sqrt((last * (1 - last)) / Math.max(1, rows));
  if (perClass < 20) {
    return {
      method: 'extract',
      top: 0,
      confidence: 'medium',
      reason: `there are only ${perClass.toFixed(0)} rows a class: tuning pretrained layers would overfit; collect more data first`,
    };
  }
  if (isFar && perClass >= 500 && weights / cores < heavyPerCore) {
    return {
      method: 'full',
      top: layers,
      confidence: 'medium',
      reason: `the task is far from the pretraining (probe ${percent(last)}, words alone ${percent(bagOfWords)}) and ${rows} rows are enough to move every layer`,
    };
  }
  if (isFar && perClass >= 100 && weights / cores >= heavyPerCore) {
    return {
      method: 'lora',
      top: 0,
      confidence: 'low',
      reason: `the task is far from the pretraining (probe ${percent(last)}, words alone ${percent(bagOfWords)}), so every layer has to change, but ${(weights / 1e6).toFixed(0)} M weights are long to train on ${cores} core${cores === 1 ? '' : 's'}: adapters reach every layer with few weights`,
    };
  }
  if (bestLayer < layers && best - last > 2 * error) {
    const top = Math.max(1, layers - bestLayer);
    return {
      method: 'repurpose',
      top,
      confidence: 'medium',
      reason: `features are best after layer ${bestLayer} of ${layers} (${percent(best)}, ${percent(last)} at the end): the layers above it are tuned`,
    };
  }
  const top = perClass < 100 ? 1 : Math.min(layers, isFar ? Math.ceil(layers / 2) : 2);
  const similarity = isFar
    ? `words alone do better than frozen features (${percent(bagOfWords)} against ${percent(last)})`
    : `frozen features already reach ${percent(last)} (words alone ${percent(bagOfWords)}), so the lower layers can stay`;
  return {
    method: 'repurpose',
    top,
    confidence: perClass < 100 ? 'low' : 'medium',
    reason: `${similarity}, and ${rows} rows carry ${top} tuned layer${top === 1 ? '' : 's'}`,
  };
}
