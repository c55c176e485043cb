import { join } from 'node:path';
import { condemnedDir } from '../store/condemned.ts';
import { listDead, listLive, ownerOf } from '../store/live.ts';
import { parsePrefixNote, prefixesDir } from '../store/prefixes.ts';
import { isProcessAlive } from '../util/processes.ts';
import { listLiveRuns } from '../store/run-lease.ts';
import { codeOf } from '../util/files.ts';
import { readFileSync } from './file-calls.ts';
import type { SurveyedRun } from './survey-runs.ts';
import { surveyRuns } from './survey-runs.ts';
import type { Found, FoundFolder } from './walk.ts';
import { listNames, look, measureFolder } from './walk.ts';

/** A file of an output, as a record names it. */
export interface NamedFile {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly isExecutable: boolean;
  readonly path: string;
}

/** An output of a step, as its record has it. */
export interface NamedOutput {
  readonly port: string;
  readonly digest: string;
  readonly type: string;
  readonly files: readonly NamedFile[];
  /** Where in the project the step wrote it. */
  readonly workspacePath?: string;
}

/** A stored result's record. */
export interface SurveyedRecord extends Found {
  readonly fingerprint: string;
  readonly plugin: string;
  readonly outputs: readonly NamedOutput[];
  /** The batch of condemned records that it is in. */
  readonly batch?: number;
}

/** Everything in a store. */
export interface Survey {
  readonly storeDir: string;
  /** When it was begun. */
  readonly takenMs: number;
  readonly blobs: ReadonlyMap<string, Found>;
  readonly records: ReadonlyMap<string, SurveyedRecord>;
  /** Records that no run can find any more. */
  readonly condemned: readonly SurveyedRecord[];
  /** Records that cannot be parsed. */
  readonly broken: readonly Found[];
  /** Folders made of links to blobs; `sizeBytes` is what they hold beside them. */
  readonly artifacts: ReadonlyMap<string, Found>;
  /** What interrupted steps left, by fingerprint. */
  readonly scratch: ReadonlyMap<string, FoundFolder>;
  /** Files that only save time; no record names them. */
  readonly shared: readonly Found[];
  readonly runs: readonly SurveyedRun[];
  /** What dead processes left: half-written files, work folders, reservations. */
  readonly litter: readonly Found[];
  /** Fingerprints that living processes compute now. */
  readonly reserved: ReadonlySet<string>;
  /** Sizes of what is known and is none of the above, such as work folders of living processes. */
  readonly otherBytes: number;
  /** What may not be read. */
  readonly refused: readonly string[];
}

/** A half-written file that has not grown for this long, and not since any living run began, has no writer any more. */
const abandonedMs = 60_000;
/** A work folder of a living process without a run is another's, who got the same id, once it is this old. */
const foreignMs = 86_400_000;

interface Notes {
  readonly litter: Found[];
  readonly refused: string[];
  readonly takenMs: number;
  readonly abandonedBeforeMs: number;
}

function makeNotes(storeDir: string): Notes {
  const takenMs = Date.now();
  const begun = listLiveRuns(storeDir).map((run) => run.startedMs);
  return { litter: [], refused: [], takenMs, abandonedBeforeMs: Math.min(takenMs - abandonedMs, ...begun) };
}

/** Files two levels down, as blobs and records lie; half-written ones are put aside. */
function listSharded(dir: string, notes: Notes): readonly Found[] {
  const refuse = (path: string): void => void notes.refused.push(path);
  return listNames(dir, refuse).flatMap((shard) =>
    listNames(join(dir, shard), refuse).flatMap((name) => {
      const found = look(join(dir, shard, name), name);
      if (found === undefined) return [];
      if (!name.endsWith('.partial')) return [found];
      if (found.changedMs < notes.abandonedBeforeMs) notes.litter.push(found);
      return [];
    }),
  );
}

/** Files at any depth that steps share; half-written ones are put aside. */
function listShared(dir: string, notes: Notes): readonly Found[] {
  return listNames(dir, (path) => void notes.refused.push(path)).flatMap((name) => {
    const found = look(join(dir, name), name);
    if (found === undefined) return [];
    if (found.isFolder) return listShared(found.path, notes);
    if (!name.endsWith('.partial')) return [found];
    if (found.changedMs < notes.abandonedBeforeMs) notes.litter.push(found);
    return [];
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Where an output was written in the project: its type in the record ends with the place. */
function findWorkspacePath(record: unknown, port: string): string | undefined {
  const outputs = isObject(record) ? record['outputs'] : undefined;
  const described = isObject(outputs) ? outputs[port] : undefined;
  return typeof described === 'string' ? / at (.+)$/s.exec(described)?.[1] : undefined;
}

function parseOutputs(record: unknown, outputs: unknown): readonly NamedOutput[] {
  if (!isObject(outputs)) throw new Error('A record without outputs.');
  return Object.entries(outputs).map(([port, output]) => {
    const { digest, type, files } = output as Omit<NamedOutput, 'port'>; // Written by the executor; damage throws below.
    const workspacePath = findWorkspacePath(record, port);
    return {
      port,
      digest: digest.slice(),
      type,
      files: files.map((file) => ({ ...file, digest: file.digest.slice() })),
      ...(workspacePath === undefined ? {} : { workspacePath }),
    };
  });
}

/** Reads a record without checking its digest: `verify` and every reader do that. */
export function readSurveyedRecord(found: Found): SurveyedRecord | 'broken' | 'refused' | undefined {
  try {
    const text = readFileSync(found.path, 'utf8');
    const { record, outputs } = JSON.parse(text.slice(0, text.indexOf('\n'))) as Readonly<
      Record<string, unknown>
    >; // An object, or the next line throws.
    const plugin = isObject(record) && typeof record['plugin'] === 'string' ? record['plugin'] : '';
    return { ...found, fingerprint: found.name.slice(0, 64), plugin, outputs: parseOutputs(record, outputs) };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) return 'broken';
    return code === 'ENOENT' ? undefined : 'refused';
  }
}

function readRecords(
  files: readonly Found[],
  notes: Notes,
): { readonly records: Map<string, SurveyedRecord>; readonly broken: readonly Found[] } {
  const records = new Map<string, SurveyedRecord>();
  const broken: Found[] = [];
  for (const file of files) {
    const record = readSurveyedRecord(file);
    if (record === 'broken') broken.push(file);
    else if (record === 'refused') notes.refused.push(file.path);
    else if (record !== undefined) records.set(record.fingerprint, record);
  }
  return { records, broken };
}

/** Records that are condemned; those that a clean-up moved and died before it gave their batch a number have none. */
export function readCondemned(storeDir: string): readonly SurveyedRecord[] {
  const dir = condemnedDir(storeDir);
  return listNames(dir).flatMap((batch) =>
    listNames(join(dir, batch)).flatMap((name) => {
      const file = look(join(dir, batch, name), name);
      const record = file === undefined ? undefined : readSurveyedRecord(file);
      if (record === undefined || typeof record === 'string') return [];
      return batch === 'pending' ? [record] : [{ ...record, batch: Number(batch) }];
    }),
  );
}

/** Sizes of materialised artifacts that records name; other folders are measured. */
function surveyArtifacts(
  storeDir: string,
  records: Iterable<SurveyedRecord>,
  blobs: Survey['blobs'],
): Survey['artifacts'] {
  const known = new Map<string, NamedOutput>();
  for (const record of records) for (const output of record.outputs) known.set(output.digest, output);
  const artifacts = new Map<string, Found>();
  for (const name of listNames(join(storeDir, 'artifacts'))) {
    const path = join(storeDir, 'artifacts', name);
    const output = known.get(name);
    const found = output === undefined ? measureFolder(path, name, true) : look(path, name);
    if (found === undefined) continue;
    // Executable files are copies, and so is everything where the disk has no links.
    const copies = output?.files.filter((file) => file.isExecutable || blobs.get(file.digest)?.links === 1);
    const sizeBytes = copies?.reduce((sum, file) => sum + file.sizeBytes, 0) ?? found.sizeBytes;
    artifacts.set(name, { ...found, sizeBytes });
  }
  return artifacts;
}

/** Notes of states whose records are gone, and folders without notes, are litter. */
function surveyPrefixes(storeDir: string, isThere: (fingerprint: string) => boolean, notes: Notes): void {
  const dir = prefixesDir(storeDir);
  for (const key of listNames(dir)) {
    const names = listNames(join(dir, key));
    const gone = names.filter((name) => !isThere(parsePrefixNote(name)?.fingerprint ?? ''));
    const litter =
      names.length === 0 ? [look(join(dir, key), key)] : gone.map((name) => look(join(dir, key, name), name));
    for (const found of litter)
      if (found !== undefined && found.changedMs < notes.abandonedBeforeMs) notes.litter.push(found);
  }
}

/** Work folders and reservations of living processes stay; those of dead ones are litter. */
function surveyWork(
  storeDir: string,
  notes: Notes,
): { readonly reserved: Set<string>; readonly bytes: number } {
  const reserved = new Set<string>();
  const running = new Set(listLive(storeDir, 'run').map((name) => ownerOf(name).split('-')[0]));
  let bytes = 0;
  for (const name of listNames(join(storeDir, 'tmp'))) {
    const folder = measureFolder(join(storeDir, 'tmp', name), name);
    if (folder === undefined) continue;
    const owner = name.split('-')[0] ?? '';
    const isForeign = !running.has(owner) && notes.takenMs - folder.changedMs > foreignMs;
    if (isProcessAlive(`${owner}-`) && !isForeign) bytes += folder.sizeBytes;
    else notes.litter.push(folder);
  }
  for (const name of listNames(join(storeDir, 'reservations'))) {
    const found = look(join(storeDir, 'reservations', name), name);
    if (found === undefined) continue;
    const [keys = '', owner = ''] = name.split('.');
    if (isProcessAlive(owner)) for (const key of keys.split('+')) reserved.add(key);
    else notes.litter.push(found);
  }
  for (const name of listDead(storeDir)) {
    const found = look(join(storeDir, 'live', name), name);
    if (found !== undefined) notes.litter.push(found);
  }
  return { reserved, bytes };
}

/** Looks at everything in a store; changes nothing. */
export function surveyStore(storeDir: string): Survey {
  const notes = makeNotes(storeDir);
  // Before anything that it may refer to: what is published meanwhile is then seen as newer than this.
  const { reserved, bytes } = surveyWork(storeDir, notes);
  const runs = surveyRuns(storeDir);
  const { records, broken } = readRecords(listSharded(join(storeDir, 'actions'), notes), notes);
  const condemned = readCondemned(storeDir);
  const hidden = new Set(condemned.map((record) => record.fingerprint));
  surveyPrefixes(storeDir, (fingerprint) => records.has(fingerprint) || hidden.has(fingerprint), notes);
  const blobs = new Map(listSharded(join(storeDir, 'blobs'), notes).map((blob) => [blob.name, blob]));
  const scratch = new Map<string, FoundFolder>();
  for (const name of listNames(join(storeDir, 'scratch'))) {
    const folder = measureFolder(join(storeDir, 'scratch', name), name);
    if (folder !== undefined) scratch.set(name, folder);
  }
  const shared = listShared(join(storeDir, 'shared'), notes);
  const topLevel = listNames(storeDir).flatMap((name) => look(join(storeDir, name), name) ?? []);
  for (const file of topLevel)
    if (file.name.endsWith('.partial') && file.changedMs < notes.abandonedBeforeMs) notes.litter.push(file);
  const looseBytes = topLevel.reduce((sum, file) => sum + (file.isFolder ? 0 : file.sizeBytes), 0);
  return {
    storeDir,
    takenMs: notes.takenMs,
    blobs,
    records,
    condemned,
    broken,
    artifacts: surveyArtifacts(storeDir, [...records.values(), ...condemned], blobs),
    scratch,
    shared,
    runs,
    litter: notes.litter,
    reserved,
    otherBytes: bytes + looseBytes,
    refused: notes.refused,
  };
}
