/**
 * Runs one case in this process and prints what it took: `measure-case.ts '<case as JSON>' [iterations]`.
 *
 * JSON with `peakMb`, `losses` and `cpuMs`, the median of an iteration; with STAGES=1 also what each stage took, to stderr.
 */
import { readFileSync } from 'node:fs';
import { createSession, sizeOf } from '@joyul/compute';
import type { Feeds } from '@joyul/compute';
import { makeRandom } from '@joyul/models';
import { buildCase } from './cases.ts';
import type { MemoryCase } from './cases.ts';

const [text = '{}', iterations = '3'] = process.argv.slice(2);
const options = JSON.parse(text) as MemoryCase; // Written by main.ts.

const readStatus = (field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) /
  1024;
const note = (stage: string): void => {
  if (process.env['STAGES'] === '1')
    process.stderr.write(
      `${stage}: now ${readStatus('VmRSS').toFixed(0)} MB, peak ${readStatus('VmHWM').toFixed(0)} MB\n`,
    );
};

note('start');
const { program, entry, vocabSize } = buildCase(options);
note('traced');
const session = await createSession(program, { backend: 'tensorflow', matmul: options.matmul });
note('graph loaded');
const random = makeRandom(1);
function* drawValues(): Iterable<readonly [string, Float32Array]> {
  for (const { name, shape } of program.variables) {
    const data = new Float32Array(sizeOf(shape));
    if (!/\/[mv]$/.test(name)) {
      if (name.includes('orm')) data.fill(1);
      else for (let index = 0; index < data.length; index++) data[index] = 0.07 * (random() - 0.5);
    }
    yield [name, data];
  }
}
await session.write(drawValues());
note('written');
const inputs = program.entries.find((item) => item.name === entry)?.inputs ?? [];
const draw = (name: string, shape: readonly number[]): Float32Array | Int32Array | number => {
  if (shape.length === 0) return name.startsWith('beta') ? 0.5 : 1e-4;
  const count = shape.reduce((product, length) => product * length, 1);
  if (name === 'mask') return new Float32Array(count).fill(1);
  const limit = name === 'labels' && options.model === 'minilm' ? 4 : vocabSize;
  return Int32Array.from({ length: count }, () => Math.floor(random() * limit));
};
const feeds: Feeds = Object.fromEntries(inputs.map(({ name, tensor }) => [name, draw(name, tensor.shape)]));
const losses: (number | undefined)[] = [];
const cpuMs: number[] = [];
for (let index = 0; index < Number(iterations); index++) {
  const before = process.cpuUsage();
  const outputs = await session.run(entry, feeds);
  const { user, system } = process.cpuUsage(before);
  cpuMs.push((user + system) / 1000);
  losses.push(outputs['loss']?.[0]);
  note(`iteration ${index + 1}`);
}
session.dispose();
// The first iteration also compiles.
const steady = cpuMs.slice(1).sort((left, right) => left - right);
process.stdout.write(
  JSON.stringify({
    peakMb: readStatus('VmHWM'),
    losses,
    cpuMs: steady[Math.floor(steady.length / 2)] ?? cpuMs[0],
  }),
);
