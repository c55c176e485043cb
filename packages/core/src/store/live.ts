import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, readTextIfThere, writeFileAtomically } from '../util/files.ts';
import { isAlive, startOf } from './reservation.ts';

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
export function enter(storeDir: string, kind: LiveKind, content = ''): LiveMark {
  const name = `${kind}.${process.pid}.${startOf(process.pid) ?? ''}.${randomUUID().slice(0, 8)}`;
  const file = join(liveDir(storeDir), name);
  try {
    writeFileSync(file, content, { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    mkdirSync(liveDir(storeDir), { recursive: true });
    writeFileSync(file, content, { flag: 'wx' });
  }
  return {
    name,
    write: (text) => {
      writeFileAtomically(file, text);
    },
    leave: () => {
      rmSync(file, { force: true });
    },
  };
}

/** Names of what living processes do in a store, those of one kind. */
export function listLive(storeDir: string, kind: LiveKind): readonly string[] {
  return listMarks(storeDir, kind).filter((name) => isLive(name));
}

/** Names of marks that dead processes left. */
export function listDead(storeDir: string): readonly string[] {
  return listMarks(storeDir).filter((name) => !isLive(name));
}

function listMarks(storeDir: string, kind?: LiveKind): readonly string[] {
  try {
    const names = readdirSync(liveDir(storeDir)).filter((name) => !name.endsWith('.partial'));
    return kind === undefined ? names : names.filter((name) => name.startsWith(`${kind}.`));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function isLive(name: string): boolean {
  const [, id, start] = name.split('.');
  return isAlive(Number(id), start === '' ? undefined : start);
}

/** What a mark says; undefined where it is gone. */
export function readMark(storeDir: string, name: string): string | undefined {
  return readTextIfThere(join(liveDir(storeDir), name));
}
