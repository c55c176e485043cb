import { join } from 'node:path';
import type { Prefix, PrefixRequest, StepEvent } from '@joyul/plugin-api';
import type { EventBody } from '../events/event.ts';
import type { GraphStep } from '../graph/graph.ts';
import type { Inspection } from '../plan/inspect-step.ts';
import type { PrefixWork } from '../plan/prefix-work.ts';
import { makePrefixWork } from '../plan/prefix-work.ts';
import type { FoundPrefix, Prefixes } from '../store/prefixes.ts';
import { isWorthFlushing } from '../store/store.ts';
import type { Store } from '../store/store.ts';
import type { ContinuedFrom } from '../util/continued-from.ts';
import { formatContinuedFrom } from '../util/continued-from.ts';
import { readChecked, writeChecked } from '../util/files.ts';
import type { FileSystem } from '../util/file-system.ts';

/** What an attempt's dealings with shorter and longer runs need. */
export interface AttemptPrefixParts {
  readonly step: GraphStep;
  readonly inspection: Inspection;
  readonly isForced: boolean;
  /** Whether it must begin from nothing and leave nothing, to be compared. */
  readonly isApart: boolean;
  readonly scratch: string;
  readonly store: Store;
  readonly prefixes: Prefixes;
  readonly fs: FileSystem;
  readonly tell: (event: EventBody) => void;
  readonly onEvent: (event: StepEvent) => void;
}

/**
 * In the scratch folder: from which run the checkpoints beside it went on. An attempt that goes on from a checkpoint of
 * its own has it from there.
 */
const noteName = '.continued-from.json';

/** One attempt's part in going on from a shorter run, and in leaving a state for a longer one. */
export class AttemptPrefix {
  readonly #parts: AttemptPrefixParts;
  #asked: { readonly work: PrefixWork; readonly extent: number; readonly keep?: string } | undefined;
  #continuedFrom: ContinuedFrom | undefined;

  constructor(parts: AttemptPrefixParts) {
    this.#parts = parts;
  }

  /** The shorter run that the attempt went on from, itself or by its checkpoints. */
  get continuedFrom(): ContinuedFrom | undefined {
    return this.#continuedFrom;
  }

  /** Answers the plugin. */
  take(request: PrefixRequest): Prefix {
    const { step, inspection, isForced, isApart, store } = this.#parts;
    const { plugin, cache } = step;
    const { extent, key = null, obstacle } = request;
    if (plugin.continues === undefined)
      throw new Error(`The plugin ${plugin.name} calls takePrefix, but does not declare \`continues\`.`);
    if (this.#asked !== undefined) throw new Error(`The plugin ${plugin.name} calls takePrefix twice.`);
    if (!Number.isSafeInteger(extent) || extent < 1)
      throw new Error(
        `The extent of the plugin ${plugin.name} must be a whole number from 1, but is ${extent}.`,
      );
    const work = makePrefixWork(inspection.record, plugin.continues, key);
    const isCacheable = plugin.cacheable !== false && !isApart;
    const mayRead = isCacheable && !isForced && (cache === 'rw' || cache === 'ro');
    const mayKeep = isCacheable && (cache === 'rw' || cache === 'wo');
    const found = mayRead ? this.#find(work, request) : undefined;
    if (obstacle === undefined) this.#note(found, request.done ?? 0);
    else if (found !== undefined) this.#tell(`Did not go on from ${this.#describe(found)}: ${obstacle}.`);
    const keep = mayKeep && obstacle === undefined ? store.makeWorkFolder() : undefined;
    if (mayKeep) this.#asked = { work, extent, ...(keep === undefined ? {} : { keep }) };
    return {
      ...(found?.dir === undefined ? {} : { earlier: { extent: found.extent, dir: found.dir } }),
      ...(keep === undefined ? {} : { keep }),
    };
  }

  #find(work: PrefixWork, { extent, done = 0, obstacle }: PrefixRequest): FoundPrefix | undefined {
    const { step, prefixes, tell } = this.#parts;
    return prefixes.find({
      work,
      above: done,
      below: extent,
      needsState: obstacle === undefined,
      onDamage: (at, { digest, reason }) => {
        const message = `The state of ${step.id} at ${this.#unit} ${at} is ${reason} in the store (${digest.slice(0, 12)}); the step does not go on from it.`;
        tell({ kind: 'warning', code: 'STORE_DAMAGED', message });
      },
    });
  }

  get #unit(): string {
    return this.#parts.step.plugin.continues?.unit ?? 'extent';
  }

  #describe({ extent, runId }: FoundPrefix): string {
    return formatContinuedFrom({ extent, runId, unit: this.#unit });
  }

  #tell(text: string): void {
    this.#parts.onEvent({ type: 'finding', text });
  }

  /** Notes what the attempt goes on from, and tells it. */
  #note(found: FoundPrefix | undefined, done: number): void {
    const { fs, scratch } = this.#parts;
    const file = join(scratch, noteName);
    if (found !== undefined) {
      const { extent, runId, fingerprint } = found;
      this.#continuedFrom = { extent, unit: this.#unit, runId, fingerprint };
      writeChecked(fs, file, JSON.stringify(this.#continuedFrom));
    } else {
      const text = readChecked(fs, file);
      const noted = text === undefined ? undefined : (JSON.parse(text) as ContinuedFrom); // Written above, as its checksum says.
      // A checkpoint that has not come as far is older than the note.
      if (noted !== undefined && noted.extent <= done) this.#continuedFrom = noted;
      else if (noted !== undefined) fs.remove(file);
    }
    if (this.#continuedFrom !== undefined)
      this.#tell(
        `Went on from ${formatContinuedFrom(this.#continuedFrom)}: everything else that decides the result is the same.`,
      );
  }

  /** Keeps what the attempt left for longer runs; the attempt must have succeeded. What fails here costs only time. */
  keep(durationMs: number): void {
    if (this.#asked === undefined) return;
    const { step, inspection, store, prefixes, fs, tell } = this.#parts;
    const { work, extent, keep } = this.#asked;
    if (keep !== undefined && fs.list(keep).length === 0) return;
    const { fingerprint } = inspection;
    try {
      const options = { move: true, mustLast: isWorthFlushing(durationMs) };
      const state = keep === undefined ? undefined : store.ingest(keep, 'prefix-state', options);
      prefixes.keep({ work, extent, fingerprint, durationMs, ...(state === undefined ? {} : { state }) });
    } catch (error) {
      const message = `The state of ${step.id} could not be kept for longer runs: ${error instanceof Error ? error.message : String(error)}.`;
      tell({ kind: 'warning', code: 'PREFIX_NOT_KEPT', message });
    }
  }

  /** Removes the work folder. */
  remove(): void {
    const keep = this.#asked?.keep;
    if (keep !== undefined) this.#parts.fs.remove(keep);
  }
}
