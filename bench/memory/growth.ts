/**
 * Trains MiniLM on random tokens and draws the memory of the process: `growth.ts [ITERATIONS] [FILE.svg]`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createSession, sizeOf } from '@joyul/compute';
import { makeRandom } from '@joyul/models';
import { buildCase } from './cases.ts';

const iterations = Number(process.argv[2] ?? 1000);
const file = process.argv[3] ?? 'memory-growth.svg';
const [batch, time] = [4, 32];
const { program, entry, vocabSize } = buildCase({
  model: 'minilm',
  trained: 'all',
  batch,
  time,
  matmul: 'float32',
  checkpointing: false,
});
const session = await createSession(program, { backend: 'tensorflow' });
const random = makeRandom(1);
for (const { name, shape, isTrainable } of program.variables) {
  const data = new Float32Array(sizeOf(shape));
  if (isTrainable) for (let index = 0; index < data.length; index++) data[index] = 0.07 * (random() - 0.5);
  if (name.endsWith('LayerNorm.weight')) data.fill(1);
  await session.write([[name, data]]);
}

/** What the process has in memory, in MB. */
const readMb = (): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;

const points: { readonly iteration: number; readonly mb: number }[] = [];
for (let iteration = 1; iteration <= iterations; iteration++) {
  await session.run(entry, {
    ids: Int32Array.from({ length: batch * time }, () => Math.floor(random() * vocabSize)),
    mask: new Float32Array(batch * time).fill(1),
    labels: Int32Array.from({ length: batch }, () => Math.floor(random() * 4)),
    learningRate: 1e-5,
    headLearningRate: 1e-5,
    beta1Power: 0.9 ** iteration,
    beta2Power: 0.999 ** iteration,
  });
  if (iteration <= 10 || iteration % 10 === 0) points.push({ iteration, mb: readMb() });
}
session.dispose();

/** A line over the iterations, from 0 MB up. */
function draw(): string {
  const [width, height, left, bottom] = [720, 300, 60, 40];
  const top = 1.15 * Math.max(...points.map(({ mb }) => mb));
  const x = (iteration: number): number => left + ((width - left - 10) * iteration) / iterations;
  const y = (mb: number): number => height - bottom - ((height - bottom - 10) * mb) / top;
  const line = points.map(({ iteration, mb }) => `${x(iteration).toFixed(1)},${y(mb).toFixed(1)}`).join(' ');
  const step = 10 ** Math.floor(Math.log10(top));
  const marks = Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
  const texts = [
    ...marks.map((mb) => `<text x="${left - 6}" y="${y(mb) + 4}" text-anchor="end">${mb} MB</text>`),
    ...[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        `<text x="${x(share * iterations)}" y="${height - bottom + 18}" text-anchor="middle">${share * iterations}</text>`,
    ),
    `<text x="${(width + left) / 2}" y="${height - 4}" text-anchor="middle">iterations of MiniLM, ${batch} × ${time} tokens, all weights</text>`,
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<path d="M${left} 10V${height - bottom}H${width - 10}" fill="none" stroke="#999"/>`,
    `<polyline points="${line}" fill="none" stroke="#06c" stroke-width="1.5"/>`,
    ...texts,
    '</svg>\n',
  ].join('\n');
}

writeFileSync(file, draw());
const at = (iteration: number): string =>
  (points.find((point) => point.iteration >= iteration)?.mb ?? 0).toFixed(0);
process.stdout.write(
  `after 10 iterations ${at(10)} MB, after ${iterations / 10} ${at(iterations / 10)} MB, after ${iterations} ${at(iterations)} MB\n`,
);
