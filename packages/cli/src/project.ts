import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { UsageError } from './usage-error.ts';

/** What is in the folder of a project, and in no other. */
const projectMarks = ['.joyul', 'package.json', join('schedules', '.state')];

/** The project that a path belongs to: the nearest folder above it with a package.json, a .joyul folder or schedules. */
export function findProject(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (projectMarks.some((name) => existsSync(join(folder, name)))) return folder;
    if (folder === dirname(folder)) return resolve(from);
  }
}

/** Pipelines of a folder: `pipeline.yaml`, `NAME.pipeline.yaml`, and every YAML file in `pipelines/`. */
function listPipelines(folder: string): readonly string[] {
  const list = (dir: string, pattern: RegExp): readonly string[] =>
    existsSync(dir)
      ? readdirSync(dir)
          .filter((name) => pattern.test(name) && !name.endsWith('.lock.yaml'))
          .sort()
          .map((name) => join(dir, name))
      : [];
  return [
    ...list(folder, /^(?:.*\.pipeline|pipeline|joyul)\.ya?ml$/),
    ...list(join(folder, 'pipelines'), /\.ya?ml$/),
  ];
}

/** The pipeline file that was named, or the only one there is. */
export function findPipelineFile(named: string | undefined): string {
  const files = listPipelines(process.cwd());
  const shown = files.map((file) => relative(process.cwd(), file)).join(', ');
  if (named !== undefined) {
    if (existsSync(named) && statSync(named).isFile()) return resolve(named);
    throw new UsageError(
      `There is no pipeline file ${named}.${files.length === 0 ? ' `joyul init` makes a project with one.' : ` Here are ${shown}.`}`,
    );
  }
  const [only] = files;
  if (only === undefined)
    throw new UsageError(
      'No pipeline file was named and none was found here. Name one, or make a project with `joyul init`.',
    );
  if (files.length > 1) throw new UsageError(`Name one of the pipelines: ${shown}.`);
  return only;
}
