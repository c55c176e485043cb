/**
 * Prepares one file and prints what it took.
 *
 * `prepare-file.ts FOLDER NAME [PARAMS]`: NAME lies in FOLDER, where the artifacts go too; PARAMS is JSON. The last line
 * is JSON: `{ "peakMb", "seconds", "cpuSeconds", "findings" }`.
 */
import { join } from 'node:path';
import type { StepEvent } from '@joyul/plugin-api';
import prepare from '@joyul/step-prepare';

const [dir = '', source = '', given = '{}'] = process.argv.slice(2);
const { Value } = await import('@sinclair/typebox/value');
// The engine gives params with every default; these are right by hand.
const params = Value.Default(prepare.params, { source, ...(JSON.parse(given) as object) }) as Parameters<
  typeof prepare.run
>[0]['params'];
const findings: string[] = [];
let last = '';
const start = performance.now();
const told = (event: StepEvent): void => {
  if (event.type === 'finding') findings.push(event.text);
  if (event.type !== 'progress' || event.activity === last) return;
  last = event.activity;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const mb = Math.round(process.memoryUsage.rss() / 1e6);
  process.stderr.write(`${seconds.padStart(5)} s ${String(mb).padStart(5)} MB  ${last}\n`);
};
await prepare.run({
  stepId: 'prepare',
  params,
  inputs: { files: undefined },
  outputs: { dataset: join(dir, 'out/dataset'), test: join(dir, 'out/test') },
  scratch: join(dir, 'scratch'),
  projectDir: dir,
  downloadDir: join(dir, 'downloads'),
  sharedDir: join(dir, 'shared'),
  seed: 1,
  env: {},
  signal: new AbortController().signal,
  takePrefix: () => Promise.resolve({}),
  emit: told,
});
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage();
const peakMb = Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
process.stdout.write(`${JSON.stringify({ peakMb, seconds, cpuSeconds: (user + system) / 1e6, findings })}\n`);
