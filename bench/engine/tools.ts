/** The tools that run the workloads: Joyul, the floors under it, and its peers. */
import { join } from 'node:path';
import { makePeerTools } from './peer-tools.ts';
import { writeFiles } from './tool.ts';
import type { Tool, ToolSettings } from './tool.ts';
import type { Workload } from './workloads.ts';

function formatPipeline(workload: Workload): string {
  const lines = [`name: ${workload.name}`, 'steps:'];
  for (const { id, command, source, needs, output } of workload.steps) {
    lines.push(`  ${id}:`, '    uses: command', '    with:', `      run: ${command}`);
    if (source !== undefined) lines.push(`      reads: [${source}]`);
    lines.push(`      outputs: { out: ${output} }`);
    if (needs.length > 0)
      lines.push('    inputs:', '      inputs:', ...needs.map((need) => `        - ${need}.out`));
  }
  return `${lines.join('\n')}\n`;
}

function makeJoyul({ joyul, joyulCache, env, jobs }: ToolSettings): Tool {
  return {
    name: 'joyul',
    isRunner: true,
    skip: () => undefined,
    write: (project, workload) => {
      writeFiles(project, [['pipeline.yaml', formatPipeline(workload)]]);
    },
    command: () => ({
      argv: [process.execPath, joyul, 'run', 'pipeline.yaml', '--jobs', String(jobs)],
      env: { ...env, JOYUL_CACHE: joyulCache },
    }),
  };
}

/** What Node itself takes to start and end. */
function makeNodeFloor({ env }: ToolSettings): Tool {
  return {
    name: 'node -e 0',
    isRunner: false,
    skip: (_workload, kind) => (kind === 'fresh' || kind === 'noop' ? undefined : 'a floor'),
    write: () => undefined,
    command: () => ({ argv: [process.execPath, '-e', '0'], env }),
  };
}

/** What it takes to spawn the commands of a workload from Node, as many at once as the tools may. */
function makeSpawnFloor({ env, jobs }: ToolSettings): Tool {
  return {
    name: 'spawn',
    isRunner: true,
    skip: (_workload, kind) => (kind === 'fresh' ? undefined : 'a floor'),
    write: (project, { steps }) => {
      writeFiles(project, [['floor.json', JSON.stringify({ jobs, steps })]]);
    },
    command: () => ({ argv: [process.execPath, join(import.meta.dirname, 'spawn-floor.mjs')], env }),
  };
}

/** All tools that are there, Joyul first. */
export function makeTools(settings: ToolSettings): readonly Tool[] {
  return [makeJoyul(settings), makeNodeFloor(settings), makeSpawnFloor(settings), ...makePeerTools(settings)];
}
