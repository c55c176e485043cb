import { formatBytes, formatDuration } from '@joyul/core';
import type { Amount, CacheSettings, CacheStats, CollectPlan, FlawedObject } from '@joyul/core';
import type { Style } from './style.ts';
import { fitTo, padTo, widthOf } from './style.ts';

const dayMs = 86_400_000;

/** A count with its noun: `1 run`, `2 runs`. */
export const formatCount = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;

/** A limit on size for people. */
export const formatSizeLimit = (bytes: number): string =>
  Number.isFinite(bytes) ? formatBytes(bytes) : 'no limit';

/** An age for people: `30 days`, `5 h`, `no limit`. */
export function formatAge(ms: number): string {
  if (!Number.isFinite(ms)) return 'no limit';
  if (ms >= 2 * dayMs) return `${Math.round(ms / dayMs)} days`;
  return ms >= 3_600_000 ? `${Math.round(ms / 3_600_000)} h` : formatDuration(ms);
}

/** Rows of a name, a count, a size and a note. */
function formatAmounts(
  rows: readonly (readonly [string, Amount, string])[],
  style: Style,
): readonly string[] {
  const texts = rows.map(
    ([name, { count, sizeBytes }, note]) =>
      [name, count.toLocaleString('en'), formatBytes(sizeBytes), note] as const,
  );
  const width = (index: 0 | 1 | 2): number => Math.max(...texts.map((row) => widthOf(row[index])));
  return texts.map(([name, count, size, note]) =>
    `  ${padTo(name, width(0))}  ${count.padStart(width(1))}  ${size.padStart(width(2))}  ${style.dim(note)}`.trimEnd(),
  );
}

type Downloads = Amount & { readonly path: string };

/** What is in the store, by kind. */
function formatKinds(stats: CacheStats, downloads: Downloads, style: Style): readonly string[] {
  return formatAmounts(
    [
      ['blobs', stats.blobs, 'files that steps wrote, each content once'],
      ['records', stats.records, 'stored results'],
      ['artifacts', stats.artifacts, 'links to blobs; the size is that of copies'],
      ['scratch', stats.scratch, 'checkpoints of interrupted steps'],
      ['shared', stats.shared, 'what only saves time, such as states of frozen layers'],
      ['runs', stats.runs, 'events and reports'],
      ...(stats.litter.count > 0 ? [['left-overs', stats.litter, 'of processes that ended'] as const] : []),
      ['downloads', downloads, `shared by all projects, never removed: ${downloads.path}`],
    ],
    style,
  );
}

/** Why stored results stay. */
function formatNeeds(
  { needed, unneeded }: CacheStats,
  settings: CacheSettings,
  style: Style,
): readonly string[] {
  return formatAmounts(
    [
      ['kept runs', needed['kept run'], '`joyul runs keep RUN`'],
      ['recent runs', needed['recent run'], `the newest ${settings.keepRuns} of each pipeline`],
      ['running now', needed.running, ''],
      ['last results', needed['last result'], 'of steps that recent runs left out'],
      ['deployed', needed.deployed, 'still in the project as a step wrote it'],
      ['others', unneeded, `until ${formatAge(settings.maxAgeMs)} after their last use`],
    ],
    style,
  );
}

/** When stored results were used, and how often. */
function formatUses({ oldestUseMs, newestUseMs, recent }: CacheStats): readonly string[] {
  const lines: string[] = [];
  if (oldestUseMs !== undefined && newestUseMs !== undefined) {
    const [oldest, newest] = [oldestUseMs, newestUseMs].map((ms) => formatAge(Date.now() - ms));
    lines.push(
      oldest === newest
        ? `All were last used ${newest} ago.`
        : `The least recently used was used ${oldest} ago, the last one ${newest} ago.`,
    );
  }
  const steps = recent.reused + recent.ran;
  if (steps > 0)
    lines.push(
      `Of the ${formatCount(steps, 'step')} of the last ${formatCount(recent.runs, 'run')}, ${recent.reused.toLocaleString('en')} were reused (${Math.round((100 * recent.reused) / steps)} %).`,
    );
  return lines;
}

/** What `joyul cache stats` prints. */
export function formatCacheStats(
  stats: CacheStats,
  settings: CacheSettings,
  downloads: Downloads,
  style: Style,
): readonly string[] {
  const limit = formatSizeLimit(stats.maxSizeBytes);
  const lowered = stats.maxSizeBytes < settings.maxSizeBytes ? ', since the disk is nearly full' : '';
  const { wouldRemove, refused } = stats;
  return [
    `${style.bold(formatBytes(stats.totalBytes))} in .joyul, of ${limit}${lowered}`,
    ...formatKinds(stats, downloads, style),
    '',
    style.bold('Stored results that stay'),
    ...formatNeeds(stats, settings, style),
    '',
    ...formatUses(stats),
    wouldRemove.sizeBytes === 0
      ? 'Nothing is to be removed.'
      : `\`joyul cache gc\` would remove ${formatBytes(wouldRemove.sizeBytes)}.`,
    ...(stats.isOverLimit ? [style.yellow(formatOverLimit(limit))] : []),
    ...(refused.length > 0
      ? [
          style.yellow(
            `! ${formatCount(refused.length, 'file')} may not be read; \`joyul cache verify\` names them.`,
          ),
        ]
      : []),
  ];
}

/** Why a store stays over its limit. */
export const formatOverLimit = (limit: string): string =>
  `! What must stay is larger than ${limit}. Raise the limit, or keep less: \`joyul runs unkeep RUN\`, --keep-runs.`;

/** What a clean-up removes, in words. */
export function formatGarbage({ garbage }: CollectPlan): string {
  const parts = [
    [garbage.records.length, 'stored result'],
    [garbage.blobs.length, 'blob'],
    [garbage.artifacts.length, 'artifact'],
    [garbage.runs.length, 'run'],
    [garbage.scratch.length, 'scratch folder'],
    [garbage.shared.length, 'shared file'],
    [garbage.litter.length, 'left-over'],
  ] as const;
  return parts.flatMap(([count, noun]) => (count === 0 ? [] : [formatCount(count, noun)])).join(', ');
}

const shownRecords = 20;

/** The stored results that go, the least recently used first, with the steps that they belong to. */
export function formatGoing(
  { garbage }: CollectPlan,
  owners: ReadonlyMap<string, ReadonlySet<string>>,
  width: number,
): readonly string[] {
  const shown = garbage.records.slice(0, shownRecords).map((record) => {
    const owner = [...(owners.get(record.fingerprint) ?? [])].at(-1) ?? record.plugin;
    const bytes = record.outputs
      .flatMap((output) => output.files)
      .reduce((sum, file) => sum + file.sizeBytes, 0);
    return fitTo(`  ${record.fingerprint.slice(0, 12)}  ${formatBytes(bytes).padStart(7)}  ${owner}`, width);
  });
  const more = garbage.records.length - shown.length;
  return more > 0 ? [...shown, `  and ${formatCount(more, 'more', 'more')}`] : shown;
}

const shownSteps = 3;

/** One flawed object, the steps that it belongs to, and what will happen. */
export function formatFlaw(flaw: FlawedObject, isRepaired: boolean, style: Style): readonly string[] {
  const mark = flaw.flaw === 'orphaned' ? style.dim('-') : isRepaired ? style.green('✓') : style.red('✗');
  const head = `${mark} ${flaw.kind} ${flaw.digest.slice(0, 12)} is ${flaw.flaw}, ${formatBytes(flaw.sizeBytes)}`;
  const names = flaw.steps.slice(0, shownSteps).join(', ');
  const more = flaw.steps.length - shownSteps;
  const who = flaw.steps.length === 0 ? 'Its step' : `${names}${more > 0 ? ` and ${more} more` : ''}`;
  const verb = flaw.steps.length > 1 ? 'run' : 'runs';
  switch (flaw.flaw) {
    case 'orphaned':
      return [`${head}: no stored result names it. \`joyul cache gc\` removes it.`];
    case 'unreadable':
      return [
        head,
        isRepaired
          ? '    It may be read again.'
          : `    ${who} ${verb} again when next needed, unless \`chmod u+r ${flaw.path}\` lets it be read.`,
      ];
    case 'damaged':
    case 'missing':
      return [head, `    ${who} ${verb} again when next needed.`];
  }
}
