import { makeRandom } from '@joyul/data';
import type { Tokenizer } from '@joyul/data';
import type { BatchShape } from '@joyul/models';
import type { BatchInputs } from '../batches.ts';

/** The share of a text's words that are to be guessed (Devlin et al. 2019). */
const maskedShare = 0.15;

/** Of these so many are hidden, so many become another word, and the rest stays. */
const [hiddenShare, swappedShare] = [0.8, 0.1];

const countOf = (words: number): number => Math.max(1, Math.round(maskedShare * words));

/** Words of a batch that can be asked for at most. */
export const countMasked = ({ batch, time }: BatchShape): number => batch * countOf(time);

/** What is known of a model's words. */
export interface Words extends Pick<Tokenizer, 'specialIds'> {
  readonly maskId: number;
  readonly vocabSize: number;
}

/** A batch with masked words. */
export interface MaskedInputs {
  /** [batch, time] */
  readonly ids: Int32Array;
  /** Where the words to guess stand: their places among all tokens of the batch. */
  readonly rows: Int32Array;
  /** The words that stood there; −100 beyond them. */
  readonly words: Int32Array;
}

/** Places of `from`, some of them, each as likely as any other. */
function choose(from: number[], count: number, random: () => number): readonly number[] {
  for (let at = 0; at < count; at++) {
    const other = at + Math.floor(random() * (from.length - at));
    [from[at], from[other]] = [from[other] ?? 0, from[at] ?? 0];
  }
  return from.slice(0, count).sort((left, right) => left - right);
}

/** A word that is no special token. */
function drawWord({ vocabSize, specialIds }: Words, random: () => number): number {
  for (;;) {
    const id = Math.floor(random() * vocabSize);
    if (!specialIds.has(id)) return id;
  }
}

/**
 * Asks for 15 % of the words of each text: 80 % of them are hidden, 10 % become another word, and 10 % stay as they are
 * (Devlin et al. 2019). Special tokens are neither asked for nor put in place of a word. Another seed asks for others.
 */
export function maskWords(
  padded: Pick<BatchInputs, 'ids' | 'mask'>,
  shape: BatchShape,
  words: Words,
  seed: number,
): MaskedInputs {
  const { batch, time } = shape;
  const random = makeRandom(seed);
  const ids = Int32Array.from(padded.ids);
  const rows = new Int32Array(countMasked(shape));
  const targets = new Int32Array(rows.length).fill(-100);
  let count = 0;
  for (let text = 0; text < batch; text++) {
    const places: number[] = [];
    for (let place = text * time; place < (text + 1) * time; place++)
      if (padded.mask[place] === 1 && !words.specialIds.has(padded.ids[place] ?? -1)) places.push(place);
    if (places.length === 0) continue;
    for (const place of choose(places, countOf(places.length), random)) {
      rows[count] = place;
      targets[count++] = padded.ids[place] ?? 0;
      const draw = random();
      if (draw < hiddenShare) ids[place] = words.maskId;
      else if (draw < hiddenShare + swappedShare) ids[place] = drawWord(words, random);
    }
  }
  return { ids, rows, words: targets };
}
