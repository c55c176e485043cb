import { join } from 'node:path';
import { parseAction } from '../store/action-record.ts';
import { hashFile } from '../store/stat-cache.ts';
import { nodeFileSystem } from '../util/file-system.ts';
import { codeOf, readTextIfThere } from '../util/files.ts';
import { chmodSync } from './file-calls.ts';
import type { Owners } from './find-owners.ts';
import { findOwners } from './find-owners.ts';
import type { Survey, SurveyedRecord } from './survey.ts';
import { surveyStore } from './survey.ts';
import type { Found } from './walk.ts';
import { listNames, look } from './walk.ts';

/** What is wrong with something in a store. Orphaned: whole, but no record names it. */
export type Flaw = 'damaged' | 'missing' | 'unreadable' | 'orphaned';

/** Something in a store that is not as it should be. */
export interface FlawedObject {
  readonly kind: 'blob' | 'record' | 'artifact';
  readonly flaw: Flaw;
  readonly digest: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Steps whose stored results need it, as `step (pipeline file)`. */
  readonly steps: readonly string[];
  /** Fingerprints of the records that need it. */
  readonly fingerprints: readonly string[];
}

/** What reading a whole store showed. */
export interface Verification {
  readonly survey: Survey;
  readonly checked: { readonly blobs: number; readonly records: number; readonly artifacts: number };
  readonly readBytes: number;
  readonly flaws: readonly FlawedObject[];
}

type State = 'good' | Exclude<Flaw, 'orphaned'>;

function checkFile(path: string, digest: string): State {
  try {
    return hashFile(nodeFileSystem, path) === digest ? 'good' : 'damaged';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : 'unreadable';
  }
}

function checkRecord(record: SurveyedRecord): State {
  try {
    const text = readTextIfThere(nodeFileSystem, record.path);
    if (text === undefined) return 'missing';
    return parseAction(record.fingerprint, text) === undefined ? 'damaged' : 'good';
  } catch {
    return 'unreadable';
  }
}

/** Which records name each blob and each artifact. */
function findNamers(survey: Survey): ReadonlyMap<string, readonly string[]> {
  const namers = new Map<string, string[]>();
  for (const { fingerprint, outputs } of survey.records.values())
    for (const output of outputs)
      for (const digest of [output.digest, ...output.files.map((file) => file.digest)]) {
        const known = namers.get(digest);
        if (known === undefined) namers.set(digest, [fingerprint]);
        else if (known.at(-1) !== fingerprint) known.push(fingerprint);
      }
  return namers;
}

/** Finds files of a materialised artifact that are copies, and so are not verified with the blobs. */
function listCopies(dir: string): readonly Found[] {
  return listNames(dir, () => undefined).flatMap((name) => {
    const found = look(join(dir, name), name);
    if (found === undefined) return [];
    if (found.isFolder) return listCopies(found.path);
    return found.links === 1 ? [found] : [];
  });
}

class Verifier {
  readonly #survey: Survey;
  readonly #namers: ReadonlyMap<string, readonly string[]>;
  readonly #onRead: (readBytes: number) => void;
  readonly flaws: Omit<FlawedObject, 'steps'>[] = [];
  readBytes = 0;

  constructor(survey: Survey, onRead: (readBytes: number) => void) {
    this.#survey = survey;
    this.#namers = findNamers(survey);
    this.#onRead = onRead;
  }

  #read(found: Found, digest: string): State {
    const state = checkFile(found.path, digest);
    this.readBytes += found.sizeBytes;
    this.#onRead(this.readBytes);
    return state;
  }

  checkBlobs(): void {
    for (const blob of this.#survey.blobs.values()) {
      const state = this.#read(blob, blob.name);
      const fingerprints = this.#namers.get(blob.name) ?? [];
      const flaw = state === 'good' ? (fingerprints.length === 0 ? 'orphaned' : undefined) : state;
      // Another process may have removed it since.
      if (flaw === undefined || flaw === 'missing') continue;
      this.flaws.push({ ...blob, kind: 'blob', flaw, digest: blob.name, fingerprints });
    }
  }

  checkRecords(): void {
    const { records, broken, blobs, refused, storeDir } = this.#survey;
    for (const record of records.values()) {
      const state = checkRecord(record);
      if (state === 'damaged' || state === 'unreadable') this.#tell(record, state, record.fingerprint);
      if (state !== 'good') continue;
      for (const file of record.outputs.flatMap((output) => output.files)) {
        const path = join(storeDir, 'blobs', file.digest.slice(0, 2), file.digest);
        const isKnown = blobs.has(file.digest) || this.flaws.some((flaw) => flaw.digest === file.digest);
        if (isKnown || look(path, file.digest) !== undefined) continue;
        const fingerprints = this.#namers.get(file.digest) ?? [];
        this.flaws.push({
          kind: 'blob',
          flaw: 'missing',
          digest: file.digest,
          path,
          sizeBytes: file.sizeBytes,
          fingerprints,
        });
      }
    }
    for (const file of broken) this.#tell(file, 'damaged', file.name.slice(0, 64));
    for (const path of refused) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const found = look(path, name);
      if (found !== undefined) this.#tell(found, 'unreadable', name.slice(0, 64));
    }
  }

  #tell(found: Found, flaw: Flaw, fingerprint: string): void {
    const { path, sizeBytes } = found;
    this.flaws.push({
      kind: 'record',
      flaw,
      digest: fingerprint,
      path,
      sizeBytes,
      fingerprints: [fingerprint],
    });
  }

  checkArtifacts(): void {
    const files = new Map<string, ReadonlyMap<string, string>>();
    for (const { outputs } of this.#survey.records.values())
      for (const output of outputs)
        files.set(
          output.digest,
          new Map(output.files.map((file) => [file.path === '' ? 'file' : file.path, file.digest])),
        );
    for (const artifact of this.#survey.artifacts.values()) {
      const expected = files.get(artifact.name);
      if (expected === undefined) continue;
      for (const copy of listCopies(artifact.path)) {
        const digest = expected.get(copy.path.slice(artifact.path.length + 1).replaceAll('\\', '/'));
        const state = digest === undefined ? 'damaged' : this.#read(copy, digest);
        if (state === 'good' || state === 'missing') continue;
        const fingerprints = this.#namers.get(artifact.name) ?? [];
        this.flaws.push({ ...artifact, kind: 'artifact', flaw: state, digest: artifact.name, fingerprints });
        break;
      }
    }
  }
}

/** Makes sure that the next run reads a damaged file, even where its times did not change with its content. */
function distrust(flaw: FlawedObject): void {
  if (flaw.flaw !== 'damaged' || flaw.kind !== 'blob') return;
  try {
    chmodSync(flaw.path, 0o444);
  } catch {
    // Another user's: it is read at the latest when its folder is repaired.
  }
}

const stepsOf = (fingerprints: readonly string[], owners: Owners): readonly string[] => [
  ...new Set(fingerprints.flatMap((fingerprint) => [...(owners.get(fingerprint) ?? [])])),
];

/** Reads everything in a store, whatever is remembered of it; a damaged blob is read again by the next run. */
export function verifyStore(
  projectDir: string,
  onRead: (readBytes: number, totalBytes: number) => void = () => undefined,
): Verification {
  const survey = surveyStore(join(projectDir, '.joyul'));
  const totalBytes = [...survey.blobs.values()].reduce((sum, blob) => sum + blob.sizeBytes, 0);
  const verifier = new Verifier(survey, (readBytes) => {
    onRead(readBytes, totalBytes);
  });
  verifier.checkBlobs();
  verifier.checkRecords();
  verifier.checkArtifacts();
  const owners: Owners = verifier.flaws.some((flaw) => flaw.flaw !== 'orphaned')
    ? findOwners(survey)
    : new Map();
  const flaws = verifier.flaws.map(({ kind, flaw, digest, path, sizeBytes, fingerprints }) => ({
    kind,
    flaw,
    digest,
    path,
    sizeBytes,
    fingerprints,
    steps: stepsOf(fingerprints, owners),
  }));
  flaws.forEach(distrust);
  return {
    survey,
    checked: {
      blobs: survey.blobs.size,
      records: survey.records.size + survey.broken.length,
      artifacts: survey.artifacts.size,
    },
    readBytes: verifier.readBytes,
    flaws,
  };
}
