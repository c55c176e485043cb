import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRandom, shuffle } from '@joyul/data';

/** Ways to say each intent; `{}` is filled in. Those of the validation and test splits occur in no other split. */
const intents: Readonly<Record<string, readonly string[]>> = {
  cancel_order: ['please cancel my order for the {}', 'i no longer want the {}', 'stop the {} from being sent', 'can i still call off the {} order', 'i changed my mind about the {}', 'do not ship the {} please'],
  track_order: ['where is my {}', 'has the {} been sent yet', 'when will the {} arrive', 'tracking says nothing about the {}', 'i am still waiting for the {}', 'what is the status of my {}'],
  return_item: ['i want to send the {} back', 'how do i return the {}', 'the {} does not fit, may i return it', 'where do i post the {} back to', 'is there a return label for the {}', 'can i bring the {} back to a shop'],
  damaged_item: ['the {} arrived broken', 'there is a crack in my {}', 'my {} came in pieces', 'the {} does not turn on', 'the box of the {} was crushed', 'the {} has a scratch on it'],
  invoice: ['i need a receipt for the {}', 'please send the invoice of the {}', 'my accountant wants a bill for the {}', 'where can i download the invoice for the {}', 'the receipt of the {} is missing', 'may i have a tax invoice for the {}'],
  price_question: ['how much is the {}', 'is there a discount on the {}', 'what does the {} cost', 'did the {} get cheaper', 'is the {} on sale next week', 'could you match the price of the {}'],
  stock_question: ['do you have the {} in blue', 'is the {} still available', 'when is the {} back in stock', 'are there any {} left', 'can i reserve the {}', 'which shops have the {}'],
  wrong_item: ['i got another thing than the {}', 'this is not the {} i ordered', 'you sent the wrong {}', 'the {} is in the wrong size', 'there was someone else’s order in my {} box', 'i received two {} instead of one'],
}; // prettier-ignore

const things = ['running shoes', 'rice cooker', 'desk lamp', 'winter coat', 'phone case', 'tea set', 'headphones', 'backpack', 'umbrella', 'office chair', 'water bottle', 'jeans']; // prettier-ignore
const openings = ['', 'hello, ', 'hi there, ', 'quick question: '];

/** Writes a small labelled data set, always the same, and gives its folder. */
export function writeSweepData(folder: string): string {
  const random = makeRandom(1);
  const splits: Readonly<Record<string, readonly number[]>> = { train: [0, 1, 2, 3], val: [4], test: [5] };
  for (const [split, ways] of Object.entries(splits)) {
    const rows = Object.entries(intents).flatMap(([label, templates]) =>
      ways.flatMap((way) =>
        things.flatMap((thing) =>
          openings.map((opening) => ({
            text: `${opening}${(templates[way] ?? '').replace('{}', thing)}`,
            label,
          })),
        ),
      ),
    );
    const kept = shuffle(rows, random).slice(0, split === 'train' ? 1008 : 300);
    writeFileSync(join(folder, `${split}.jsonl`), kept.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  return folder;
}
