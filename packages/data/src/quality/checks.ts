import type { RawRow } from '../row.ts';
import { countLabels } from '../labels.ts';
import type { QualityFinding, QualityPlace } from './report.ts';
import { makeFinding } from './report.ts';

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

/** Rows whose characters look wrongly decoded. */
function findGarbled(rows: readonly RawRow[]): QualityFinding[] {
  const places = rows.flatMap((row) => {
    const at = row.text.search(garbled);
    return at === -1 ? [] : [placeOf(row, 'text', preview(row.text.slice(Math.max(0, at - 20), at + 30)))];
  });
  if (places.length === 0) return [];
  const message = `${plural(places.length, 'text')} ${places.length === 1 ? 'looks' : 'look'} wrongly decoded. Save the source as UTF-8.`;
  return [makeFinding('GARBLED', 'warning', message, places)];
}

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

/** Rows in another writing system than nine tenths of the data, and rows without any letter. */
function findOddScripts(rows: readonly RawRow[]): QualityFinding[] {
  const found = rows.map((row) => scriptOf(row.text));
  const counts = new Map<string, number>();
  for (const script of found) if (script !== undefined) counts.set(script, (counts.get(script) ?? 0) + 1);
  const [main, count] = [...counts].reduce((best, item) => (item[1] > best[1] ? item : best), [
    '',
    0,
  ] as const);
  const findings: QualityFinding[] = [];
  const without = rows.filter((_, index) => found[index] === undefined);
  if (without.length > 0)
    findings.push(
      makeFinding(
        'NO_LETTERS',
        'warning',
        `${plural(without.length, 'text')} without a letter.`,
        without.map((row) => placeOf(row, 'text', preview(row.text))),
      ),
    );
  if (count < rows.length * 0.9 || count === rows.length - without.length) return findings;
  const places = rows.flatMap((row, index) => {
    const script = found[index];
    return script === undefined || script === main
      ? []
      : [placeOf(row, 'text', `${script}: ${preview(row.text)}`)];
  });
  const message = `${plural(places.length, 'text')} not in ${main} letters, as the others are.`;
  return [...findings, makeFinding('OTHER_SCRIPT', 'warning', message, places)];
}

/** Rows far longer than the rest: beyond the third quartile by five times the distance of the quartiles. */
function findLongTexts(rows: readonly RawRow[]): QualityFinding[] {
  const lengths = rows.map((row) => row.text.length).sort((a, b) => a - b);
  const at = (share: number): number => lengths[Math.floor(lengths.length * share)] ?? 0;
  const bound = at(0.75) + 5 * Math.max(at(0.75) - at(0.25), 10);
  const places = rows
    .filter((row) => row.text.length > bound)
    .sort((a, b) => b.text.length - a.text.length)
    .map((row) => placeOf(row, 'text', `${row.text.length} characters`));
  if (places.length === 0) return [];
  const message = `${plural(places.length, 'text')} of more than ${bound} characters; the median is ${at(0.5)}.`;
  return [makeFinding('LONG_TEXT', 'info', message, places)];
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

/** Everything about the kept rows that a person should look at. */
export function checkQuality(rows: readonly RawRow[]): readonly QualityFinding[] {
  return [...findImbalance(rows), ...findGarbled(rows), ...findOddScripts(rows), ...findLongTexts(rows)];
}
