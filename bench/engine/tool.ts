/** What a tool of the bench is. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CommandLine } from '../shared/measure.ts';
import type { Peer, PeerName } from './peers.ts';
import { makeSources } from './workloads.ts';
import type { Workload } from './workloads.ts';

/** What is measured: nothing is there; nothing changed; one source changed; the outputs are gone, the cache is not. */
export type Case = 'fresh' | 'noop' | 'leaf' | 'restore';

/** All cases, in the order in which they are measured. */
export const cases: readonly Case[] = ['fresh', 'noop', 'leaf', 'restore'];

/** How one tool is given a workload and started. */
export interface Tool {
  readonly name: string;
  /** Whether it runs steps, so that they are counted. */
  readonly isRunner: boolean;
  /** Why a case of a workload is not measured, in a few words; undefined when it is. */
  skip(workload: Workload, kind: Case): string | undefined;
  /** Writes what declares the workload into a project that has the sources already. */
  write(project: string, workload: Workload): void;
  command(project: string, workload: Workload): CommandLine;
  /** What runs in place of `command` where a fresh run is not measured and only has to fill the cache. */
  primer?(project: string, workload: Workload): CommandLine;
}

/** What the tools are made of. */
export interface ToolSettings {
  /** The file that starts Joyul. */
  readonly joyul: string;
  /** Joyul's own cache folder: compiled code. */
  readonly joyulCache: string;
  readonly peers: ReadonlyMap<PeerName, Peer>;
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: number;
  /** Leaves out what takes peers long. */
  readonly isQuick: boolean;
}

/** Writes files of a project; folders are made as needed. */
export function writeFiles(project: string, files: Iterable<readonly [string, string]>): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), content);
  }
}

/** Writes a new project: its sources, an empty folder for outputs, and the tool's own files. */
export function writeProject(project: string, tool: Tool, workload: Workload): void {
  for (const folder of ['src', 'out']) mkdirSync(join(project, folder), { recursive: true });
  for (const [path, content] of makeSources(workload)) writeFileSync(join(project, path), content);
  tool.write(project, workload);
}
