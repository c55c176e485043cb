import { makeRandom } from '@joyul/data';

/** Small changes that do not change what a text means. */
export const perturbations: readonly {
  readonly name: string;
  readonly apply: (text: string, seed: number) => string;
}[] = [
  { name: 'lower case', apply: (text) => text.toLowerCase() },
  { name: 'without punctuation', apply: (text) => text.replace(/[.,;:!?'"()]/g, '') },
  {
    name: 'one typing error in ten words',
    apply: (text, seed) => {
      const random = makeRandom(seed);
      // Two neighbouring letters inside a word change places.
      return text.replace(/\p{L}{4,}/gu, (word) => {
        if (random() > 0.1) return word;
        const at = 1 + Math.floor(random() * (word.length - 2));
        return word.slice(0, at) + (word[at + 1] ?? '') + (word[at] ?? '') + word.slice(at + 2);
      });
    },
  },
];
