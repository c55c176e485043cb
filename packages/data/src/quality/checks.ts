import type { RawRow } from '../row.ts';
import { countLabels } from '../labels.ts';
import type { QualityFinding, QualityPlace } from './report.ts';
import { FoundPlaces, makeFinding } from './report.ts';
import { kindOf, textLengthOf } from '../store/row-table.ts';
import { forEachRow } from '../store/for-each-row.ts';
import type { Pace } from '../store/for-each-row.ts';

const preview = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
};

const placeOf = (row: RawRow, field: string, note: string): QualityPlace => ({
  file: row.place.file,
  line: row.place.line,
  field,
  note,
});

const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/** Signs of text that was decoded by the wrong table: UTF-8 read as Windows-1252, or lost characters. */
const garbled = /\uFFFD|Ã[\u0080-\u00BF]|â€[\u0098-\u009D™œ\u009d]|Â[\u00A0-\u00BF]/;

const scripts: readonly (readonly [string, RegExp])[] = [
  ['Latin', /\p{Script=Latin}/gu],
  ['Cyrillic', /\p{Script=Cyrillic}/gu],
  ['Han', /\p{Script=Han}/gu],
  ['Hangul', /\p{Script=Hangul}/gu],
  ['Kana', /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ['Arabic', /\p{Script=Arabic}/gu],
  ['Greek', /\p{Script=Greek}/gu],
  ['Hebrew', /\p{Script=Hebrew}/gu],
  ['Devanagari', /\p{Script=Devanagari}/gu],
  ['Thai', /\p{Script=Thai}/gu],
];

const asciiOnly = /^[\x00-\x7F]*$/;

/** The writing system that most letters of a text belong to; undefined where it has no letters. */
export function scriptOf(text: string): string | undefined {
  const sample = text.slice(0, 400);
  if (asciiOnly.test(sample)) return /[a-z]/i.test(sample) ? 'Latin' : undefined;
  const counts = scripts.map(([name, pattern]) => ({ name, count: sample.match(pattern)?.length ?? 0 }));
  const most = counts.reduce((best, item) => (item.count > best.count ? item : best));
  return most.count === 0 ? undefined : most.name;
}

/** Texts that look wrongly decoded, in other letters than the rest, or without any. */
async function checkCharacters(rows: readonly RawRow[], pace: Pace): Promise<QualityFinding[]> {
  const broken = new FoundPlaces();
  const silent = new FoundPlaces();
  const byScript = new Map<string, { count: number; places: FoundPlaces }>();
  await forEachRow(
    rows,
    (row) => {
      const { text } = row;
      const at = text.search(garbled);
      if (at !== -1) broken.add(placeOf(row, 'text', preview(text.slice(Math.max(0, at - 20), at + 30))));
      const script = scriptOf(text);
      if (script === undefined) return silent.add(placeOf(row, 'text', preview(text)));
      const use = byScript.get(script) ?? { count: 0, places: new FoundPlaces() };
      byScript.set(script, use);
      use.count++;
      use.places.add(() => placeOf(row, 'text', `${script}: ${preview(text)}`));
    },
    pace,
  );
  const findings: QualityFinding[] = [];
  if (broken.total > 0) {
    const message = `${plural(broken.total, 'text')} ${broken.total === 1 ? 'looks' : 'look'} wrongly decoded. Save the source as UTF-8.`;
    findings.push(makeFinding('GARBLED', 'warning', message, broken));
  }
  if (silent.total > 0)
    findings.push(
      makeFinding('NO_LETTERS', 'warning', `${plural(silent.total, 'text')} without a letter.`, silent),
    );
  const [main, ...others] = [...byScript].sort((a, b) => b[1].count - a[1].count);
  if (main === undefined || others.length === 0 || main[1].count < rows.length * 0.9) return findings;
  const total = others.reduce((sum, [, { count }]) => sum + count, 0);
  const message = `${plural(total, 'text')} not in ${main[0]} letters, as the others are.`;
  const places = others.flatMap(([, use]) => use.places.places);
  return [...findings, { ...makeFinding('OTHER_SCRIPT', 'warning', message, places), total }];
}

/** Rows far longer than the rest: beyond the third quartile by five times the distance of the quartiles. */
function findLongTexts(rows: readonly RawRow[]): QualityFinding[] {
  const lengths = Uint32Array.from(rows, textLengthOf).sort();
  const at = (share: number): number => lengths[Math.floor(lengths.length * share)] ?? 0;
  const bound = at(0.75) + 5 * Math.max(at(0.75) - at(0.25), 10);
  const long = rows
    .filter((row) => textLengthOf(row) > bound)
    .sort((a, b) => textLengthOf(b) - textLengthOf(a));
  if (long.length === 0) return [];
  const found = new FoundPlaces();
  for (const row of long) found.add(placeOf(row, 'text', `${textLengthOf(row)} characters`));
  const message = `${plural(long.length, 'text')} of more than ${bound} characters; the median is ${at(0.5)}.`;
  return [makeFinding('LONG_TEXT', 'info', message, found)];
}

const fewRows = 8;

/** Classes with few rows, and classes far larger than others. */
function findImbalance(rows: readonly RawRow[]): QualityFinding[] {
  const uses = countLabels(rows);
  if (uses.length === 0) return [];
  const findings: QualityFinding[] = [];
  const small = uses.filter((use) => use.rows < fewRows);
  if (small.length > 0)
    findings.push(
      makeFinding(
        'SMALL_CLASS',
        'warning',
        `${plural(small.length, 'class', 'classes')} with fewer than ${fewRows} rows: ${small.map((use) => `${use.label} (${use.rows})`).join(', ')}.`,
        small.map((use) => ({
          ...use.first,
          field: 'label',
          note: `${use.label}: ${plural(use.rows, 'row')}`,
        })),
      ),
    );
  const sorted = [...uses].sort((a, b) => b.rows - a.rows);
  const [largest, smallest] = [sorted[0], sorted.at(-1)];
  if (largest === undefined || smallest === undefined || largest.rows < smallest.rows * 10) return findings;
  const message = `${largest.label} has ${largest.rows} rows and ${smallest.label} has ${smallest.rows}. Look at each class's score, or set class_weights.`;
  const places = [largest, smallest].map((use) => ({
    ...use.first,
    field: 'label',
    note: plural(use.rows, 'row'),
  }));
  return [...findings, makeFinding('IMBALANCE', 'warning', message, places)];
}

/** Everything about the kept rows that a person should look at; tokens have no characters to look at. */
export async function checkQuality(
  rows: readonly RawRow[],
  pace: Pace = {},
): Promise<readonly QualityFinding[]> {
  const isText = rows.every((row) => kindOf(row) !== 'tokens');
  return [
    ...findImbalance(rows),
    ...(isText ? await checkCharacters(rows, pace) : []),
    ...(isText ? findLongTexts(rows) : []),
  ];
}
