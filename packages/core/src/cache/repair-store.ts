import { actionFile, parseAction } from '../store/action-record.ts';
import { condemn } from '../store/condemned.ts';
import { hashFile } from '../store/stat-cache.ts';
import { nodeFileSystem } from '../util/file-system.ts';
import { enterCollection } from './collect-garbage.ts';
import { chmodSync, readFileSync, rmSync } from './file-calls.ts';
import { Bin, awaitRuns, forgetCondemned, sweep } from './remove-garbage.ts';
import type { FlawedObject, Verification } from './verify-store.ts';
import { look } from './walk.ts';

/** What a repair came to. */
export interface Repair {
  /** Objects that are good again, or gone, so that their steps make them again. */
  readonly repaired: readonly FlawedObject[];
  /** Objects that this user may not change, or that another clean-up is busy with. */
  readonly left: readonly FlawedObject[];
}

/** How long runs at work have to put what they just made in its place. */
const waitMs = 3000;

/** Gives this user back the right to read what is its own; true when it is good then. */
function makeReadable({ kind, path, digest }: FlawedObject): boolean {
  try {
    chmodSync(path, 0o444);
    if (kind === 'record') return parseAction(digest, readFileSync(path, 'utf8')) !== undefined;
    return kind === 'blob' && hashFile(nodeFileSystem, path) === digest;
  } catch {
    return false;
  }
}

/** Removes objects: records first, then what they name, so that nothing ever names what is gone. */
async function removeObjects(storeDir: string, flaws: readonly FlawedObject[]): Promise<void> {
  for (const fingerprint of new Set(
    flaws.flatMap((flaw) => (flaw.kind === 'artifact' ? [] : flaw.fingerprints)),
  ))
    rmSync(actionFile(storeDir, fingerprint), { force: true });
  const items = flaws.flatMap((flaw) => {
    const found = flaw.kind === 'record' ? undefined : look(flaw.path, flaw.digest);
    return found === undefined ? [] : [{ ...found, sizeBytes: flaw.sizeBytes }];
  });
  if (items.length === 0) return;
  // An empty batch makes others careful.
  await awaitRuns(storeDir, condemn(storeDir, []), waitMs);
  const bin = new Bin(storeDir);
  try {
    const seen = new Map(items.map((item) => [item.path, item.changedMs]));
    // One that was made again meanwhile has other times.
    sweep(storeDir, items, (now) => seen.get(now.path) === now.changedMs, bin);
  } finally {
    bin.empty();
    forgetCondemned(storeDir, []);
  }
}

/** Removes what is damaged, with the records that need it, so that it is made again. */
export async function repairStore(verification: Verification): Promise<Repair> {
  const { storeDir } = verification.survey;
  const flaws = verification.flaws.filter((flaw) => flaw.flaw !== 'orphaned');
  if (flaws.length === 0) return { repaired: [], left: [] };
  const turn = await enterCollection(storeDir);
  if (turn === undefined) return { repaired: [], left: flaws };
  try {
    const bad = flaws.filter((flaw) => flaw.flaw !== 'unreadable' || !makeReadable(flaw));
    await removeObjects(storeDir, bad);
    const isThere = (flaw: FlawedObject): boolean => look(flaw.path, flaw.digest) !== undefined;
    const left = bad.filter((flaw) => flaw.flaw !== 'missing' && isThere(flaw));
    return { repaired: flaws.filter((flaw) => !left.includes(flaw)), left };
  } finally {
    turn.leave();
  }
}
