import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { vi } from 'vitest';
import type { CacheSettings } from '../../src/cache/cache-settings.ts';
import { collectGarbage } from '../../src/cache/collect-garbage.ts';
import type { Collected } from '../../src/cache/collect-garbage.ts';
import { actionFile } from '../../src/store/action-record.ts';
import { Store } from '../../src/store/store.ts';
import { formatCanonicalJson } from '../../src/util/canonical-json.ts';
import { digestOf } from '../../src/util/hash.ts';

export const dayMs = 86_400_000;

/** A project with a store, a day in the future: whatever it holds is a day old, and no run is at work. */
export class Project implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'joyul-cache-'));
  readonly store: Store;

  constructor() {
    this.write({ 'package.json': '{}', 'p.yaml': 'name: p' });
    this.store = new Store(this.dir);
    mkdirSync(this.store.dir);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + dayMs });
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.dir, name)), { recursive: true });
      writeFileSync(join(this.dir, name), content);
    }
  }

  /** Stores a step's result, last used some days ago; gives its fingerprint. */
  addResult(
    name: string,
    options: { readonly content?: string; readonly daysAgo?: number; readonly at?: string } = {},
  ): string {
    const work = this.store.makeWorkFolder();
    writeFileSync(join(work, 'output'), options.content ?? name);
    const artifact = this.store.ingest(join(work, 'output'), 'file', { move: true, mustLast: false });
    rmSync(work, { recursive: true });
    const output = options.at === undefined ? 'file' : `file at ${options.at}`;
    const record = { plugin: 'command', params: { name }, outputs: { text: output } };
    const fingerprint = digestOf(formatCanonicalJson(record));
    this.store.writeAction(fingerprint, {
      version: 1,
      record,
      outputs: { text: artifact },
      kept: [],
      durationMs: 1,
    });
    this.store.materialize(artifact);
    setAge(actionFile(this.store.dir, fingerprint), options.daysAgo ?? 0);
    return fingerprint;
  }

  /** Writes a run that used stored results. */
  addRun(
    runId: string,
    fingerprints: readonly string[],
    options: { readonly daysAgo?: number; readonly file?: string } = {},
  ): void {
    const file = `.joyul/runs/${runId}/events.ndjson`;
    const events = [
      { kind: 'run-started', runId, pipeline: 'p', file: options.file ?? 'p.yaml', steps: [] },
      ...fingerprints.map((fingerprint, index) => ({
        kind: 'step-ended',
        stepId: `s${index}`,
        end: 'reused',
        fingerprint,
      })),
      {
        kind: 'run-ended',
        end: 'succeeded',
        counts: { reused: fingerprints.length, succeeded: 1, failed: 0 },
      },
    ];
    this.write({ [file]: events.map((event) => `${JSON.stringify(event)}\n`).join('') });
    setAge(join(this.dir, file), options.daysAgo ?? 0);
  }

  has(fingerprint: string): boolean {
    return this.store.readAction(fingerprint) !== undefined;
  }

  /** Paths of all files in a folder of the store. */
  list(folder: string): readonly string[] {
    try {
      return readdirSync(join(this.store.dir, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort();
    } catch {
      return [];
    }
  }

  async collect(settings: Partial<CacheSettings> = {}): Promise<Extract<Collected, { state: 'done' }>> {
    const collected = await collectGarbage({
      projectDir: this.dir,
      settings: {
        maxSizeBytes: Number.POSITIVE_INFINITY,
        maxAgeMs: Number.POSITIVE_INFINITY,
        keepRuns: 1,
        ...settings,
      },
      isLoweredToDisk: false,
      waitMs: 0,
    });
    if (collected.state === 'busy') throw new Error('Another clean-up is at work.');
    return collected;
  }

  [Symbol.dispose](): void {
    vi.useRealTimers();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Sets when a file was last written. */
export function setAge(file: string, daysAgo: number): void {
  const time = (Date.now() - daysAgo * dayMs) / 1000;
  utimesSync(file, time, time);
}
