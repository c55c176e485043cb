/**
 * Uses or cleans up a store over and over, as a process of its own: `cache-worker.ts run|gc PROJECT SECONDS`.
 *
 * It goes by the same functions as a run does, without the seconds that starting a command takes, so that many
 * thousands of hits, publications and removals meet each other. It ends with 1 when a hit was not good to its end.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { collectGarbage } from '../../packages/core/src/cache/collect-garbage.ts';
import { EventWriter } from '../../packages/core/src/events/event-writer.ts';
import { openRunLease } from '../../packages/core/src/store/run-lease.ts';
import type { ActionRecord } from '../../packages/core/src/store/store.ts';
import { Store } from '../../packages/core/src/store/store.ts';
import { formatCanonicalJson } from '../../packages/core/src/util/canonical-json.ts';
import { realPlatform } from '../../packages/core/src/util/platform.ts';

const [mode = '', projectDir = '', seconds = ''] = process.argv.slice(2);
const endMs = Date.now() + Number(seconds) * 1000;
const counts = { hits: 0, misses: 0, removed: 0, waited: 0 };

const random = (below: number): number => Math.floor(Math.random() * below);

/** Steps share contents, so that publishing meets blobs that are about to go. */
const contentOf = (step: number): string => `content ${step % 25}`;

function makeResult(store: Store, step: number): ActionRecord {
  const work = store.makeWorkFolder();
  writeFileSync(join(work, 'file'), contentOf(step));
  const output = store.ingest(work, 'folder', { move: true, mustLast: false });
  rmSync(work, { recursive: true });
  return { version: 1, record: { step }, outputs: { output }, kept: [], durationMs: 0 };
}

/** One run: decides on some steps, waits up to `patienceMs`, then uses what it decided on. */
async function runOnce(runId: string, patienceMs: number): Promise<void> {
  const store = new Store(projectDir);
  const events = new EventWriter({
    file: join(store.dir, 'runs', runId, 'events.ndjson'),
    fs: realPlatform.fs,
    clock: realPlatform.clock,
  });
  const lease = openRunLease(store.dir, runId, () => {
    store.forgetPack();
    events.flush();
  });
  store.usePack('races');
  const results: (readonly [number, ActionRecord])[] = [];
  for (let at = 0; at < 4; at++) {
    const step = random(60);
    const { fingerprint, action: stored } = store.find({ step }, formatCanonicalJson({ step }));
    const damage =
      stored?.outputs['output'] === undefined ? undefined : store.findDamage(stored.outputs['output']);
    // A record that names nothing is what a clean-up must never leave.
    if (damage !== undefined) throw new Error(`Step ${step} has a record whose blob is ${damage.reason}.`);
    const isHit = stored !== undefined;
    const action = stored ?? makeResult(store, step);
    if (!isHit) store.writeAction(fingerprint, action);
    counts[isHit ? 'hits' : 'misses']++;
    results.push([step, action]);
    const body = { outputs: [], durationMs: 0, reason: '', stepId: `s${step}`, fingerprint } as const;
    events.write({ kind: 'step-ended', end: 'reused', ...body });
    if (random(2) === 0) await turn();
  }
  await sleep(random(patienceMs));
  for (const [step, action] of results) {
    const output = action.outputs['output'];
    if (output === undefined) continue;
    const text = readFileSync(join(store.materialize(output), 'file'), 'utf8');
    if (text !== contentOf(step)) throw new Error(`Step ${step} gave ${text}.`);
  }
  events.close();
  store.close();
  lease.close();
}

async function cleanOnce(): Promise<void> {
  const collected = await collectGarbage({
    projectDir,
    settings: { maxSizeBytes: 0, maxAgeMs: Number.POSITIVE_INFINITY, keepRuns: 1 },
    isLoweredToDisk: false,
    waitMs: random(2) * 1500,
  });
  if (collected.state === 'busy') return;
  counts.removed += collected.plan.garbage.records.length;
  counts.waited += collected.removal.waitsFor.length;
}

async function repeat(action: (at: number) => Promise<void>): Promise<void> {
  for (let at = 0; Date.now() < endMs; at++) await action(at);
}

const runs = (patienceMs: number) => (at: number) =>
  runOnce(`${Date.now()}-${process.pid}-${patienceMs}-${at}`, patienceMs);

// Long runs live to be asked what they rely on; short ones meet everything else more often.
if (mode === 'gc') await repeat(cleanOnce);
else await Promise.all([repeat(runs(5)), repeat(runs(2500)), repeat(runs(3000))]);
process.stdout.write(JSON.stringify(counts));
