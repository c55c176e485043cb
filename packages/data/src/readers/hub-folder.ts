import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RawRow, RowProblem } from '../row.ts';
import { isRecord } from './field-problem.ts';
import { splitNames } from './split-names.ts';

type Split = NonNullable<RawRow['split']>;

/** The files of one data set among a folder's, and the split of each, as its README.md says. */
export interface HubFolder {
  readonly splits: ReadonlyMap<string, Split | undefined>;
  readonly problem?: RowProblem;
}

/** One entry of `configs:`. */
interface Subset {
  readonly name: string;
  readonly isDefault: boolean;
  /** Patterns of files by split. */
  readonly patterns: readonly (readonly [string, readonly string[]])[];
}

const asList = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string');

/** `data_files` is a path, a list of paths, paths by split, or a list of objects with `split` and `path`. */
function readPatterns(value: unknown): Subset['patterns'] {
  if (isRecord(value)) return Object.entries(value).map(([split, paths]) => [split, asList(paths)]);
  if (!Array.isArray(value)) return [['train', asList(value)]];
  const entries = value.filter(isRecord);
  if (entries.length === 0) return [['train', asList(value)]];
  return entries.map(({ split, path }) => [typeof split === 'string' ? split : 'train', asList(path)]);
}

function readSubset(value: unknown): readonly Subset[] {
  if (!isRecord(value) || value['data_files'] === undefined) return [];
  const folder = typeof value['data_dir'] === 'string' ? `${value['data_dir']}/` : '';
  return [
    {
      name: typeof value['config_name'] === 'string' ? value['config_name'] : 'default',
      isDefault: value['default'] === true || value['config_name'] === 'default',
      patterns: readPatterns(value['data_files']).map(([split, paths]) => [
        split,
        paths.map((path) => folder + path.replace(/^\.\//, '')),
      ]),
    },
  ];
}

/** A pattern of files such as `data/train-*` or a recursive one, as Hugging Face has them. */
function makePattern(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (sign) =>
      sign === '**/' ? '(?:.*/)?' : sign === '**' ? '.*' : sign === '*' ? '[^/]*' : '[^/]',
    );
  return new RegExp(`^${source}$`);
}

/** The split that a name means, also with more words, such as `train_sft`; undefined where it is none of the three. */
const splitNamed = (name: string): Split | undefined =>
  splitNames[name.toLowerCase()] ?? splitNames[/^[a-z]+/i.exec(name)?.[0].toLowerCase() ?? ''];

async function readSubsets(readme: string): Promise<readonly Subset[]> {
  const text = await readFile(readme, 'utf8').catch(() => '');
  const front = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---\s*(?:\r?\n|$)/.exec(text)?.[1];
  if (front === undefined) return [];
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(front);
  } catch {
    return []; // A README that only looks like a data card says nothing about files.
  }
  const configs = isRecord(value) ? value['configs'] : undefined;
  return Array.isArray(configs) ? configs.flatMap(readSubset) : [];
}

/**
 * What the front matter of a folder's README.md says about its files (`configs:` with `data_files`), as on the Hugging
 * Face hub; undefined where it says nothing. Of several subsets `wanted` chooses one.
 */
export async function readHubFolder(
  path: string,
  name: string,
  files: readonly string[],
  wanted: string | undefined,
): Promise<HubFolder | undefined> {
  const readme = files.find((file) => file.toLowerCase() === 'readme.md');
  const subsets = readme === undefined ? [] : await readSubsets(join(path, readme));
  const refuse = (message: string): HubFolder => ({
    splits: new Map(),
    problem: { file: `${name}/${readme ?? ''}`, line: 1, field: 'configs', message },
  });
  const list = subsets.map((subset) => subset.name).join(', ');
  if (subsets.length === 0)
    return wanted === undefined
      ? undefined
      : refuse(
          `subset: ${wanted} asks for one of several data sets, but README.md lists none under configs.`,
        );
  const chosen =
    wanted === undefined
      ? subsets.length === 1
        ? subsets[0]
        : subsets.find((subset) => subset.isDefault)
      : subsets.find((subset) => subset.name === wanted);
  if (chosen === undefined)
    return refuse(
      wanted === undefined
        ? `This folder holds ${subsets.length} data sets: ${list}. Set subset to one of them.`
        : `No data set is named "${wanted}"; there are ${list}. Set subset to one of them.`,
    );
  const splits = new Map<string, Split | undefined>();
  for (const [split, patterns] of chosen.patterns) {
    const fits = patterns.map(makePattern);
    const found = files.filter((file) => fits.some((pattern) => pattern.test(file)));
    if (found.length === 0)
      return refuse(
        `"${chosen.name}" has its ${split} split in ${patterns.join(', ')}, but no such file is here.`,
      );
    // A split with a name of its own is all rows: which of them judge is for `split` to say.
    for (const file of found) splits.set(file, splitNamed(split));
  }
  return { splits };
}
