// The least that running a pipeline's commands costs from Node: it spawns them in order and keeps nothing.
// Plain JavaScript, so that no time goes into taking types away.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { jobs, steps } = JSON.parse(readFileSync('floor.json', 'utf8'));
const missing = new Map(steps.map((step) => [step.id, step.needs.length]));
const next = new Map(steps.map((step) => [step.id, []]));
for (const step of steps) for (const need of step.needs) next.get(need).push(step);
const ready = steps.filter((step) => step.needs.length === 0);
let running = 0;
let at = 0;

function startReady() {
  for (; running < jobs && at < ready.length; at++) start(ready[at]);
}

function start(step) {
  running++;
  const child = spawn('sh', ['-c', step.command], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.pipe(process.stderr);
  child.on('close', (code) => {
    if (code !== 0) process.exit(1);
    running--;
    for (const after of next.get(step.id)) {
      const left = missing.get(after.id) - 1;
      missing.set(after.id, left);
      if (left === 0) ready.push(after);
    }
    startReady();
  });
}

startReady();
