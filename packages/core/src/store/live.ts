import { join } from 'node:path';
import { codeOf, makeUniqueName, readTextIfThere, writeFile, writeFileAtomically } from '../util/files.ts';
import type { Platform } from '../util/platform.ts';
import { realPlatform } from '../util/platform.ts';

/** What a process is doing in a store: running a pipeline, putting a blob in its place, cleaning up, removing. */
export type LiveKind = 'run' | 'put' | 'gc' | 'sweep';

/** A file that says what a process is doing; it counts for nothing once the process is gone. */
export interface LiveMark {
  readonly name: string;
  write(content: string): void;
  leave(): void;
}

const liveDir = (storeDir: string): string => join(storeDir, 'live');

/**
 * Says that this process is at work.
 *
 * The name has the process and when it began. So nobody ever takes over another's file: a mark of a dead
 * process is removed by a name that no living process has, and two removers cannot hurt a third one.
 */
export function enter(
  storeDir: string,
  kind: LiveKind,
  content = '',
  { fs, processes }: Platform = realPlatform,
): LiveMark {
  const name = `${kind}.${processes.own}.${makeUniqueName()}`;
  const file = join(liveDir(storeDir), name);
  writeFile(fs, file, content);
  return {
    name,
    write: (text) => {
      writeFileAtomically(fs, file, text);
    },
    leave: () => {
      fs.remove(file);
    },
  };
}

/** The process whose mark a name is. */
export const ownerOf = (name: string): string => name.split('.')[1] ?? '';

/** Names of what living processes do in a store, those of one kind. */
export function listLive(
  storeDir: string,
  kind: LiveKind,
  platform: Platform = realPlatform,
): readonly string[] {
  return listMarks(storeDir, platform).filter(
    (name) => name.startsWith(`${kind}.`) && platform.processes.isAlive(ownerOf(name)),
  );
}

/** Names of marks that dead processes left. */
export function listDead(storeDir: string, platform: Platform = realPlatform): readonly string[] {
  return listMarks(storeDir, platform).filter((name) => !platform.processes.isAlive(ownerOf(name)));
}

function listMarks(storeDir: string, { fs }: Platform): readonly string[] {
  try {
    const names = fs.list(liveDir(storeDir)).map(({ name }) => name);
    return names.filter((name) => !name.endsWith('.partial'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What a mark says; undefined where it is gone. */
export function readMark(
  storeDir: string,
  name: string,
  { fs }: Platform = realPlatform,
): string | undefined {
  return readTextIfThere(fs, join(liveDir(storeDir), name));
}
