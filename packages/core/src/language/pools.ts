import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { PipelineFile } from './pipeline-files.ts';
import { parseSize } from './units.ts';

/** The pools of a run: how much each holds, and the devices of those that are lists. */
export interface Pools {
  readonly capacities: Readonly<Record<string, number>>;
  readonly devices: Readonly<Record<string, readonly string[]>>;
}

/** Pools that every machine has; they are amounts, and cannot be lists. */
export const machinePools: readonly string[] = ['cpu', 'memory'];

/** Collects the pools of all files of a load: those of the pipeline that is run come first. */
export function makePools(
  files: readonly PipelineFile[],
  machine: { readonly cores: number; readonly memoryBytes: number },
  report: (diagnostic: Diagnostic) => void,
): Pools {
  const capacities = new Map<string, number>();
  const devices = new Map<string, readonly string[]>();
  for (const { spec, document } of files) {
    for (const [name, written] of Object.entries(spec.pools ?? {})) {
      if (capacities.has(name)) continue;
      const path = ['pools', name];
      const tell = (message: string, index: number | undefined, help: string): void =>
        report({
          code: 'WRONG_TYPE',
          severity: 'error',
          message,
          range: document.rangeOf(index === undefined ? path : [...path, index]),
          help,
        });
      if (!Array.isArray(written)) {
        capacities.set(name, parseSize(written) ?? 0);
        continue;
      }
      const list = written.map(String);
      if (machinePools.includes(name))
        tell(
          `The pool "${name}" is an amount, and cannot be a list.`,
          undefined,
          `Write \`${name}: ${list.length}\`.`,
        );
      for (const [index, device] of list.entries())
        if (list.indexOf(device) !== index)
          tell(`The pool "${name}" has the device "${device}" twice.`, index, 'Remove one of them.');
      capacities.set(name, list.length);
      devices.set(name, list);
    }
  }
  return {
    capacities: { cpu: machine.cores, memory: machine.memoryBytes, ...Object.fromEntries(capacities) },
    devices: Object.fromEntries(devices),
  };
}
