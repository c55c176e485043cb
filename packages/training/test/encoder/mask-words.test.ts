import { expect, test } from 'vitest';
import { maskWords } from '../../src/encoder/mask-words.ts';
import type { MaskedInputs } from '../../src/encoder/mask-words.ts';

const shape = { batch: 100, time: 42 };
const special = new Set([0, 1, 2, 3]);

/** Texts of 40 words between special tokens. */
const ids = Int32Array.from({ length: shape.batch * shape.time }, (_, at) => {
  const place = at % shape.time;
  return place === 0 ? 1 : place === shape.time - 1 ? 2 : 10 + (at % 90);
});
const mask = new Float32Array(ids.length).fill(1);
const maskAll = (seed: number): MaskedInputs =>
  maskWords({ ids, mask }, shape, { maskId: 3, specialIds: special, vocabSize: 100 }, seed);

test('15 % of the words are asked for, of which 80 % are hidden, 10 % swapped and 10 % kept', () => {
  const masked = maskAll(1);
  const places = [...masked.rows].filter((_, at) => masked.words[at] !== -100);
  expect(places).toHaveLength(600); // 6 of 40 words in 100 texts.
  const hidden = places.filter((place) => masked.ids[place] === 3).length;
  const kept = places.filter((place) => masked.ids[place] === ids[place]).length;
  expect(Math.abs(hidden / 600 - 0.8)).toBeLessThan(0.05);
  expect(Math.abs(kept / 600 - 0.1)).toBeLessThan(0.05);
});

test('what stood there is what is to be guessed, and nothing else changes', () => {
  const masked = maskAll(1);
  const asked = new Map([...masked.rows].map((place, at) => [place, masked.words[at]]));
  ids.forEach((id, place) => {
    const isAsked = asked.has(place) && asked.get(place) !== -100;
    expect(isAsked ? asked.get(place) : masked.ids[place]).toBe(id);
  });
});

test('special tokens are never asked for, and never put in place of a word', () => {
  const masked = maskAll(2);
  masked.words.forEach((word) => {
    expect(special.has(word)).toBe(false);
  });
  const swapped = [...masked.ids].filter((id, place) => id !== ids[place] && id !== 3);
  expect(swapped.length).toBeGreaterThan(20);
  expect(swapped.some((id) => special.has(id))).toBe(false);
});

test('the same seed asks for the same words, another one for others', () => {
  expect(maskAll(4)).toEqual(maskAll(4));
  expect(maskAll(5).rows).not.toEqual(maskAll(4).rows);
});

test('padding is not asked for', () => {
  const short = mask.map((_, at) => (at % shape.time < 3 ? 1 : 0));
  const masked = maskWords(
    { ids, mask: short },
    shape,
    { maskId: 3, specialIds: special, vocabSize: 100 },
    1,
  );
  const places = [...masked.rows].filter((_, at) => masked.words[at] !== -100);
  expect(places).toHaveLength(100);
  expect(places.every((place) => place % shape.time === 1 || place % shape.time === 2)).toBe(true);
});
