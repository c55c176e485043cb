import { describe, expect, test } from 'vitest';
import { explain, graphOf, load, withSteps } from './support.ts';

const valid = 'name: p\nsteps: { a: { uses: prepare } }\n';

/** The params of a pipeline that declares nothing else. */
async function paramsOf(params: string): Promise<unknown> {
  return (await graphOf(`name: p\nparams:\n${params}\nsteps: { a: { uses: prepare } }\n`)).params;
}

describe('bytes and lines', () => {
  test('a byte order mark is no part of the text, and columns do not count it', async () => {
    expect((await load(`\uFEFF${valid}`)).ok).toBe(true);
    expect(await explain('\uFEFFnme: p\nsteps: { a: { uses: prepare } }\n')).toContain(
      'p.yaml:1:1 error UNKNOWN_KEY',
    );
  });

  test('lines may end as Windows ends them', async () => {
    expect((await load(valid.replaceAll('\n', '\r\n'))).ok).toBe(true);
    expect(await explain('name: p\r\nsteps:\r\n  a: { uses: prepair }\r\n')).toBe(`
p.yaml:3:14 error PLUGIN_UNKNOWN  No installed package is the plugin "prepair".
    3 |   a: { uses: prepair }
      |              ^^^^^^^
  help: Did you mean "prepare"?
`);
  });

  test('NUL bytes are told with their place', async () => {
    expect(await explain('name: p\nsteps: { a: { uses: pre\0pare } }\n')).toBe(`
p.yaml:2:24 error YAML_CHARACTER  Here is the control character U+0000, which YAML does not allow.
    2 | steps: { a: { uses: pre\uFFFDpare } }
      |                        ^
  help: Remove it, or write "\\u0000" in double quotes.
`);
  });

  test.each([
    ['bytes that are no UTF-8', Uint8Array.of(0x61, 0x3a, 0x20, 0xc3, 0x28)],
    ['UTF-16', Uint8Array.from(Buffer.from('\uFEFFname: p\n', 'utf16le'))],
  ])('%s are told', async (_, bytes) => {
    expect(await explain({ 'p.yaml': bytes })).toContain('error FILE_ENCODING  p.yaml is not text in UTF-8.');
  });

  test.each([
    ['', 'p.yaml is empty.'],
    ['\n\n', 'p.yaml is empty.'],
    ['# one\n# two\n', 'p.yaml has only comments.'],
    ['---\n', 'p.yaml'],
    ['~\n', 'p.yaml'],
  ])('a file that holds %j has no pipeline', async (text, message) => {
    expect(await explain(text)).toContain(message);
  });

  test.each(['3\n', 'just words\n', '[a, b]\n'])('%j is no map', async (text) => {
    expect(await explain(text)).toContain('error WRONG_TYPE  The pipeline must be a map of keys, but is');
  });

  test('a file of nearly 10 MB is read, and its last line has its place', async () => {
    const line = `# ${'x'.repeat(97)}\n`;
    const text = `${line.repeat(99_000)}name: p\nsteps: { a: { uses: prepair } }\n`;
    expect(text.length).toBeGreaterThan(9_800_000);
    expect(await explain(text)).toContain('p.yaml:99002:21 error PLUGIN_UNKNOWN');
  });

  test('ten thousand steps are read in seconds', async () => {
    const steps = Array.from(
      { length: 10_000 },
      (_, index) => `  s${index}: { uses: prepare, with: { source: f${index} } }\n`,
    );
    const { steps: made } = await graphOf(withSteps(steps.join('')));
    expect(made).toHaveLength(10_000);
  });

  test('a tab as indent is told as such, also after spaces', async () => {
    expect(await explain('name: p\nsteps:\n  a:\n  \tuses: prepare\n')).toContain(
      'p.yaml:4:3 error YAML_TAB',
    );
  });
});

describe('nesting', () => {
  const open = '['.repeat(100_000);
  test.each([
    ['lists on one line', `steps: ${open}${']'.repeat(100_000)}`],
    ['lists that are never closed', `steps: ${open}`],
    ['maps on one line', `steps: ${'{a: '.repeat(100_000)}`],
    ['maps over lines', Array.from({ length: 3000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['lists over lines', `steps:\n  ${'- '.repeat(100_000)}`],
    ['keys that are maps', `${'? '.repeat(50_000)}a`],
  ])('%s: 100,000 levels end in one message', async (_, text) => {
    const { diagnostics } = await load(`name: p\n${text}\n`);
    expect(diagnostics.map(({ code }) => code)).toEqual(['YAML_DEPTH']);
  });

  test('a hundred levels are enough for anybody and more are told', async () => {
    const nest = (depth: number): string =>
      `name: p\nparams: { a: ${'['.repeat(depth)}${']'.repeat(depth)} }\nsteps: { a: { uses: prepare } }\n`;
    expect((await load(nest(98))).ok).toBe(true);
    expect((await load(nest(99))).diagnostics.map(({ code }) => code)).toEqual(['YAML_DEPTH']);
  });

  test('aliases cannot nest deeper than brackets', async () => {
    const lines = Array.from(
      { length: 200 },
      (_, index) => `  a${index}: &a${index} [${index === 0 ? 1 : `*a${index - 1}`}]`,
    );
    const { diagnostics } = await load(
      `name: p\nparams:\n${lines.join('\n')}\nsteps: { a: { uses: prepare } }\n`,
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(['YAML_DEPTH']);
  });
});

describe('aliases and merges', () => {
  test('aliases that stand for billions of values are told', async () => {
    const lines = Array.from(
      { length: 12 },
      (_, index) =>
        `  a${index}: &a${index} [${index === 0 ? 'x, x' : Array.from({ length: 10 }, () => `*a${index - 1}`).join(', ')}]`,
    );
    expect(
      await explain(`name: p\nparams:\n${lines.join('\n')}\nsteps: { a: { uses: prepare } }\n`),
    ).toContain('error YAML_ALIASES  The aliases up to this one stand for more than 100000 values.');
  });

  test('an alias of itself has no anchor before it', async () => {
    expect(await explain('name: p\nparams: { a: &a [*a] }\nsteps: { a: { uses: prepare } }\n')).toContain(
      'error YAML_ALIASES  The alias *a has no anchor &a before it.',
    );
  });

  test('aliases and merge keys work, and own keys win', async () => {
    const { byId } = await graphOf(
      withSteps(
        '  a: &base { uses: train, with: &with { epochs: 3, rate: 0.5 }, inputs: { dataset: d.dataset } }\n  b: { <<: *base, with: { <<: *with, epochs: 4 } }\n  d: { uses: prepare }\n',
      ),
    );
    expect(byId.get('b')?.params).toMatchObject({ epochs: 4, rate: 0.5 });
  });

  test('a merge key takes maps only', async () => {
    expect(await explain(withSteps('  a: { <<: 3, uses: prepare }\n'))).toContain(
      'p.yaml:3:12 error YAML_VALUE  `<<` takes a map',
    );
  });
});

describe('keys', () => {
  test('__proto__ is no name, and changes no object', async () => {
    const told = await explain(
      'name: p\nparams: { __proto__: { admin: true } }\npools: { __proto__: 1 }\nsteps:\n  __proto__: { uses: prepare }\n  a: { uses: prepare, with: { __proto__: { source: 3 } }, inputs: { __proto__: a.b } }\n',
    );
    expect(told).toContain(`
p.yaml:5:3 error NAME_INVALID  "__proto__" cannot be a name: it has a meaning of its own in JavaScript.
    5 |   __proto__: { uses: prepare }
      |   ^^^^^^^^^
  help: Choose another name.
`);
    expect(told.match(/error NAME_INVALID/g)).toHaveLength(3);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined(); // Any object.
  });

  test('__proto__ inside a step is as unknown as any other key', async () => {
    const steps =
      '  a: { uses: prepare, with: { __proto__: { source: 3 } }, inputs: { __proto__: a.b }, resources: { __proto__: 1 } }\n';
    const { diagnostics } = await load(withSteps(steps));
    expect(diagnostics.map(({ code }) => code)).toEqual([
      'PARAM_UNKNOWN',
      'POOL_UNKNOWN',
      'INPUT_UNKNOWN_PORT',
    ]);
  });

  test.each(['constructor', 'toString', 'hasOwnProperty'])('%s is a name like any other', async (name) => {
    const graph = await graphOf(
      `name: p\nparams: { ${name}: 1 }\npools: { ${name}: 2 }\nsteps:\n  ${name}: { uses: prepare, matrix: { ${name}: [1] }, resources: { ${name}: 1 } }\n  b: { uses: select, inputs: { dataset: ${name}.dataset }, if: "params.${name} == 1" }\n`,
    );
    expect(graph.steps.map(({ id }) => id)).toEqual([`${name}@${name}=1`, 'b']);
  });

  test.each(['constructor', 'toString', '__proto__'])(
    '%s is not there where nobody wrote it',
    async (name) => {
      const text = withSteps(
        `  a: { uses: prepare, if: "params.${name} == 1" }\n  b: { uses: select, inputs: { dataset: ${name}.x } }\n  c: { uses: select, inputs: { dataset: a.${name} } }\n`,
      );
      const { diagnostics } = await load(text);
      expect(diagnostics.map(({ code }) => code)).toEqual([
        'EXPRESSION_NAME',
        'REFERENCE_STEP',
        'REFERENCE_PORT',
      ]);
    },
  );

  test('keys that are numbers keep their text', async () => {
    expect(await paramsOf('  map: { 1.0: a, 0x10: b, 1e2: c, true: d }')).toEqual({
      map: { '1.0': 'a', '0x10': 'b', '1e2': 'c', true: 'd' },
    });
  });
});

describe('values', () => {
  test('YAML 1.2 reads numbers, dates and words as they are written', async () => {
    const written = `  a: 1_000
  b: 0o17
  c: 0x1F
  d: 017
  e: 2026-01-31
  f: 2026-01-31T10:00:00Z
  g: 1e3
  h: .5
  i: +7
  j: "0o17"
  k: ~
  l: null
  m: Null
  n: 12:30
  o: 0b11
  p: 1.
  q: -0`;
    expect(await paramsOf(written)).toEqual({
      a: '1_000',
      b: 15,
      c: 31,
      d: 17,
      e: '2026-01-31',
      f: '2026-01-31T10:00:00Z',
      g: 1000,
      h: 0.5,
      i: 7,
      j: '0o17',
      k: null,
      l: null,
      m: null,
      n: '12:30',
      o: '0b11',
      p: 1,
      q: -0,
    });
  });

  test('a number with underscores is told how to write it', async () => {
    expect(
      await explain(
        'name: p\nparams: { n: { type: integer, default: 1_000 } }\nsteps: { a: { uses: prepare } }\n',
      ),
    ).toBe(`
p.yaml:2:40 error PARAM_VALUE  The param "n" must be a whole number, but is "1_000".
    2 | params: { n: { type: integer, default: 1_000 } }
      |                                        ^^^^^
  help: In YAML 1.2, 1_000 is a text; write \`1000\`.
`);
  });

  test('a number that cannot be kept is told, and one in quotes is a text', async () => {
    expect(await explain('name: p\nparams: { id: 12345678901234567890 }\nsteps: { a: { uses: prepare } }\n'))
      .toBe(`
p.yaml:2:15 error YAML_VALUE  The number 12345678901234567890 has more digits than can be kept; it would become 12345678901234567000.
    2 | params: { id: 12345678901234567890 }
      |               ^^^^^^^^^^^^^^^^^^^^
  help: Put it in quotes where it is a name, or write fewer digits.
`);
    expect(await paramsOf('  id: "12345678901234567890"')).toEqual({ id: '12345678901234567890' });
  });

  test.each(['.inf', '-.inf', '.nan', '1e999'])('%s has no meaning', async (value) => {
    expect(await explain(`name: p\nparams: { a: ${value} }\nsteps: { a: { uses: prepare } }\n`)).toContain(
      'error YAML_VALUE',
    );
  });

  test.each(['!!python/object:os.system', '!custom', '!!binary', '!!set', '!!timestamp'])(
    'the tag %s has no meaning',
    async (tag) => {
      const text = `name: p\nparams:\n  a: ${tag} { x: 1 }\nsteps: { a: { uses: prepare } }\n`;
      const { diagnostics } = await load(text);
      expect(diagnostics.map(({ severity }) => severity)).toContain('error');
    },
  );

  test('tags that say what plain YAML reads anyway may stand', async () => {
    expect(await paramsOf('  a: !!str 3\n  b: !!int "4"\n  c: !!map { x: !!seq [1] }')).toEqual({
      a: '3',
      b: 4,
      c: { x: [1] },
    });
  });

  test('a file that asks for YAML 1.1 is told, since words and numbers would mean other things', async () => {
    expect(await explain(`%YAML 1.1\n---\n${valid}`)).toBe(`
p.yaml:1:1 error YAML_SYNTAX  The file asks for YAML 1.1, but a pipeline is written in YAML 1.2.
    1 | %YAML 1.1
      | ^^^^^^^^^
  help: Remove this line.
`);
    expect((await load(`%YAML 1.2\n---\n${valid}...\n`)).ok).toBe(true);
  });

  test('a param named yes keeps its text, with a warning', async () => {
    const { diagnostics } = await load(
      'name: p\nparams: { a: yes, b: "yes", c: Off }\nsteps: { a: { uses: prepare } }\n',
    );
    expect(diagnostics.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
      'YAML_WORD warning',
      'YAML_WORD warning',
    ]);
  });
});

describe('Unicode', () => {
  test.each(['준비', 'vorbereitung-ä', '🚀', 'الإعداد', 'שלב', '数据', '👩‍🚀'])(
    '%s is a name',
    async (name) => {
      const graph = await graphOf(
        withSteps(
          `  ${name}: { uses: prepare, with: { source: "\${{ params['${name}'] }}" } }\n  b: { uses: select, inputs: { dataset: ${name}.dataset } }\n`,
          `params: { ${name}: x }\n`,
        ),
      );
      expect(graph.byId.get('b')?.needs).toEqual([name]);
    },
  );

  test('a name in a reference may be composed or not, as it was typed', async () => {
    const { byId } = await graphOf(
      withSteps(
        '  caf\u00e9: { uses: prepare, with: { source: "${{ params.cle\u0301 }}" } }\n  b: { uses: select, inputs: { dataset: cafe\u0301.dataset } }\n',
        'params: { cl\u00e9: x }\n',
      ),
      { selection: { only: ['cafe\u0301'] } },
    );
    expect(byId.get('b')?.needs).toEqual(['caf\u00e9']);
  });

  test('a declared name must be composed, so that two names that look alike are alike', async () => {
    expect(await explain(withSteps('  cafe\u0301: { uses: prepare, matrix: { e\u0301: [1] } }\n'))).toBe(`
p.yaml:3:3 error NAME_INVALID  "cafe\u0301" cannot be a name: its letters and their marks are written apart (not in Unicode form NFC).
    3 |   cafe\u0301: { uses: prepare, matrix: { e\u0301: [1] } }
      |   ^^^^
  help: Write a name such as "caf\u00e9".

p.yaml:3:37 error NAME_INVALID  "e\u0301" cannot be a name: its letters and their marks are written apart (not in Unicode form NFC).
    3 |   cafe\u0301: { uses: prepare, matrix: { e\u0301: [1] } }
      |                                    ^
  help: Write a name such as "\u00e9".
`);
  });

  test('invisible characters and turned text cannot be in a name, and do not reach the terminal', async () => {
    expect(await explain(withSteps('  safe\u202etpircs: { uses: prepare }\n'))).toBe(`
p.yaml:3:3 error NAME_INVALID  "safe\\u202etpircs" cannot be a name: it has the invisible character U+202E.
    3 |   safe\uFFFDtpircs: { uses: prepare }
      |   ^^^^^^^^^^^
  help: Write a name such as "safe-tpircs".
`);
  });

  test('carets stand under wide characters and emoji', async () => {
    expect(await explain('name: p\nsteps:\n  🚀준비: { uses: prepare, with: { sauce: x } }\n')).toContain(`
    3 |   🚀준비: { uses: prepare, with: { sauce: x } }
      |                                    ^^^^^
`);
  });
});

describe('several documents and duplicate keys', () => {
  test('a second document is told, one with only its marks is not', async () => {
    expect(await explain(`${valid}---\n${valid}`)).toContain('p.yaml:3:1 error YAML_DOCUMENTS');
    expect((await load(`---\n${valid}...\n`)).ok).toBe(true);
  });

  test('every duplicate key is told, nested and in all spellings', async () => {
    const { diagnostics } = await load(
      'name: p\n"name": q\nsteps:\n  a: { uses: prepare, uses: select }\n  a: { uses: prepare }\n',
    );
    expect(diagnostics.map(({ message }) => message.slice(0, 14))).toEqual([
      'The key "name"',
      'The key "uses"',
      'The key "a" st',
    ]);
  });
});
