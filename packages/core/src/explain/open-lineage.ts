/** A run as OpenLineage events, by the specification 2-0-2. */
import { createHash } from 'node:crypto';
import type { JsonObject } from '@joyul/plugin-api';
import type { FingerprintRecord } from '../plan/fingerprint.ts';
import type { RunRecord, StepRecord } from '../runs/run-record.ts';
import { Store } from '../store/store.ts';
import { formatContinuedFrom } from '../util/continued-from.ts';
import { joyulVersion } from '../util/version.ts';

type EventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';

const producer = `https://github.com/joyul/joyul/tree/v${joyulVersion}`;
const specification = 'https://openlineage.io/spec';

/** Versions of the facets that are used. */
const facetVersions = {
  ParentRunFacet: '1-1-0',
  ProcessingEngineRunFacet: '1-1-1',
  ErrorMessageRunFacet: '1-0-1',
  TagsRunFacet: '1-0-0',
  JobTypeJobFacet: '2-0-3',
  DatasetVersionDatasetFacet: '1-0-1',
  OutputStatisticsOutputDatasetFacet: '1-0-2',
} as const;

const makeFacet = (name: keyof typeof facetVersions, content: JsonObject): JsonObject => ({
  _producer: producer,
  _schemaURL: `${specification}/facets/${facetVersions[name]}/${name}.json#/$defs/${name}`,
  ...content,
});

/** A version 7 UUID that is the same each time: the time of a run, then a digest of a name. */
function makeUuid(timeMs: number, name: string): string {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16);
  bytes.writeUIntBE(timeMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const text = bytes.toString('hex');
  return [0, 8, 12, 16, 20].map((from, index, all) => text.slice(from, all[index + 1])).join('-');
}

const runTypes: Readonly<Record<RunRecord['end'], EventType | undefined>> = {
  succeeded: 'COMPLETE',
  failed: 'FAIL',
  cancelled: 'ABORT',
  checkpointed: 'ABORT',
  interrupted: 'ABORT',
  running: undefined,
};

const stepTypes: Readonly<Partial<Record<StepRecord['end'], EventType>>> = {
  succeeded: 'COMPLETE',
  reused: 'COMPLETE',
  failed: 'FAIL',
  cancelled: 'ABORT',
};

/** Makes the events of one run. */
class LineageMaker {
  readonly #record: RunRecord;
  readonly #namespace: string;
  readonly #steps: ReadonlyMap<string, StepRecord>;
  readonly #store: Store;

  constructor(projectDir: string, record: RunRecord, namespace: string) {
    this.#record = record;
    this.#namespace = namespace;
    this.#steps = new Map(record.steps.map((step) => [step.stepId, step]));
    this.#store = new Store(projectDir);
  }

  make(): readonly JsonObject[] {
    const { startedMs, durationMs, end } = this.#record;
    const steps = this.#record.steps.flatMap((step) => this.#stepEvents(step));
    // A stable sort: of one moment, a step's start stays before its end.
    steps.sort((left, right) => left.timeMs - right.timeMs);
    const last = runTypes[end];
    return [
      this.#runEvent('START', startedMs),
      ...steps.map(({ event }) => event),
      ...(last === undefined ? [] : [this.#runEvent(last, startedMs + durationMs)]),
    ];
  }

  #event(type: EventType, timeMs: number, rest: JsonObject): JsonObject {
    return {
      eventType: type,
      eventTime: new Date(timeMs).toISOString(),
      producer,
      schemaURL: `${specification}/2-0-2/OpenLineage.json#/$defs/RunEvent`,
      ...rest,
    };
  }

  #job(name: string, jobType: string): JsonObject {
    const facet = makeFacet('JobTypeJobFacet', { processingType: 'BATCH', integration: 'JOYUL', jobType });
    return { namespace: this.#namespace, name, facets: { jobType: facet } };
  }

  #engine(): JsonObject {
    const { joyulVersion: version } = this.#record;
    return makeFacet('ProcessingEngineRunFacet', { version, name: 'Joyul' });
  }

  #runEvent(type: EventType, timeMs: number): JsonObject {
    const { pipeline } = this.#record;
    return this.#event(type, timeMs, {
      run: { runId: this.#runUuid(), facets: { processing_engine: this.#engine() } },
      job: this.#job(pipeline, 'PIPELINE'),
      inputs: [],
      outputs: [],
    });
  }

  #runUuid(): string {
    return makeUuid(this.#record.startedMs, this.#record.runId);
  }

  #stepEvents(step: StepRecord): readonly { readonly timeMs: number; readonly event: JsonObject }[] {
    const type = stepTypes[step.end];
    const begun = step.startedMs ?? step.endedMs;
    if (begun === undefined || (type === undefined && step.end !== 'running')) return [];
    const { runId, startedMs, pipeline } = this.#record;
    const uuid = makeUuid(startedMs, `${runId}/${step.stepId}`);
    const job = this.#job(`${pipeline}.${step.stepId}`, 'TASK');
    const parent = makeFacet('ParentRunFacet', {
      run: { runId: this.#runUuid() },
      job: { namespace: this.#namespace, name: pipeline },
    });
    const base = { parent, processing_engine: this.#engine() };
    const inputs = this.#inputs(step);
    const start = this.#event('START', begun, {
      run: { runId: uuid, facets: base },
      job,
      inputs,
      outputs: [],
    });
    if (type === undefined) return [{ timeMs: begun, event: start }];
    const { failure, end, endedMs = begun } = step;
    const error =
      end === 'failed' && failure !== undefined
        ? {
            errorMessage: makeFacet('ErrorMessageRunFacet', {
              message: `${failure.code}: ${failure.message}`,
              programmingLanguage: 'TypeScript',
            }),
          }
        : {};
    const facets = { ...base, ...error, tags: this.#tags(step) };
    const outputs = step.outputs.map((output) => ({
      ...this.#dataset(`${pipeline}/${step.stepId}/${output.port}`, output.digest),
      outputFacets: {
        outputStatistics: makeFacet('OutputStatisticsOutputDatasetFacet', {
          size: output.sizeBytes,
          fileCount: output.files,
        }),
      },
    }));
    const done = this.#event(type, endedMs, { run: { runId: uuid, facets }, job, inputs, outputs });
    return [
      { timeMs: begun, event: start },
      { timeMs: endedMs, event: done },
    ];
  }

  #tags(step: StepRecord): JsonObject {
    const tags = {
      end: step.end,
      reason: step.reason,
      fingerprint: step.fingerprint ?? '',
      plugin: step.plugin,
      continuedFrom: step.continuedFrom === undefined ? '' : formatContinuedFrom(step.continuedFrom),
    };
    const list = Object.entries(tags).map(([key, value]) => ({
      key: `joyul.${key}`,
      value,
      source: 'JOYUL',
    }));
    return makeFacet('TagsRunFacet', { tags: list.filter(({ value }) => value !== '') });
  }

  #dataset(name: string, digest: string, namespace = this.#namespace): JsonObject {
    const version = makeFacet('DatasetVersionDatasetFacet', { datasetVersion: digest });
    return { namespace, name, facets: { version } };
  }

  /** What a step read: outputs of the steps that it needs, found by their digests, and files of the project. */
  #inputs(step: StepRecord): readonly JsonObject[] {
    const action = step.fingerprint === undefined ? undefined : this.#store.readAction(step.fingerprint);
    const record = action?.record as FingerprintRecord | undefined; // Records are written by the executor.
    if (record === undefined) return [];
    const wanted = new Set(Object.values(record.inputs).flat());
    const artifacts = step.needs.flatMap((need) =>
      (this.#steps.get(need)?.outputs ?? [])
        .filter((output) => wanted.has(output.digest))
        .map((output) => this.#dataset(`${this.#record.pipeline}/${need}/${output.port}`, output.digest)),
    );
    const files = Object.entries(record.files).map(([path, digest]) => this.#dataset(path, digest, 'file'));
    return [...artifacts, ...files];
  }
}

/** A run as OpenLineage events, in the order of time: of the run, and of each step that had a result. */
export function makeLineage(
  projectDir: string,
  record: RunRecord,
  options: { readonly namespace: string },
): readonly JsonObject[] {
  return new LineageMaker(projectDir, record, options.namespace).make();
}
