import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { makeRandom } from '@joyul/data';

const vocabulary = 20_000;

/** Words as often as in real text: the n-th of them 1/n times (Zipf). */
function makeWords(random: () => number): () => string {
  const letters = 'etaoinshrdlucmfwypvbgk';
  const words = Array.from({ length: vocabulary }, (_, rank) => {
    let word = '';
    for (let left = rank + 1; left > 0; left = Math.floor(left / letters.length))
      word += letters[left % letters.length] ?? '';
    return word;
  });
  return () => words[Math.floor(vocabulary ** random()) - 1] ?? 'the';
}

/** How many bytes and rows were written, and which share of them repeats another row. */
export interface MadeRows {
  readonly bytes: number;
  readonly rows: number;
}

/**
 * Writes conversations in OpenAI's form, as JSONL of about `bytes`, each of about `rowBytes`: one of 50 repeats an earlier
 * one, and one of 50 nearly does.
 */
export async function makeRows(
  file: string,
  { bytes, rowBytes }: { readonly bytes: number; readonly rowBytes: number },
): Promise<MadeRows> {
  const random = makeRandom(1);
  const word = makeWords(random);
  const say = (length: number): string => {
    const words: string[] = [];
    for (let size = 0; size < length; size += (words.at(-1)?.length ?? 0) + 1) words.push(word());
    return `${words.join(' ')}.`;
  };
  const out = createWriteStream(file, { highWaterMark: 1 << 20 });
  const recent: string[][] = [];
  let [written, rows] = [0, 0];
  while (written < bytes) {
    const draw = random();
    const earlier = recent[Math.floor(random() * recent.length)];
    const length = rowBytes * (0.2 + 1.6 * random());
    let turns = [say(length / 5), say((length * 4) / 5)];
    if (earlier !== undefined && draw < 0.04)
      turns = draw < 0.02 ? earlier : [earlier[0] ?? '', `${earlier[1] ?? ''} ${word()}`];
    if (recent.length < 1000) recent.push(turns);
    else recent[rows % 1000] = turns;
    const [content = '', answer = ''] = turns;
    const messages = [
      { role: 'user', content },
      { role: 'assistant', content: answer },
    ];
    const line = `${JSON.stringify({ messages })}\n`;
    written += Buffer.byteLength(line);
    rows++;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
  return { bytes: written, rows };
}
