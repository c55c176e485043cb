import { describe, expect, test } from 'vitest';
import { explain, graphOf, load } from './support.ts';

const base = `
name: base
params: { epochs: { type: integer, minimum: 1, default: 3 }, rate: 0.1 }
seed: 1
pools: { db: 1 }
defaults: { retry: { attempts: 2 }, environment: { A: base } }
steps:
  d: { uses: prepare }
  t: { uses: train, with: { epochs: "\${{ params.epochs }}", rate: "\${{ params.rate }}" }, inputs: { dataset: d.dataset } }
  e: { uses: evaluate, inputs: { model: t.model, dataset: d.dataset } }
`;

describe('extends', () => {
  test('the file that extends wins key by key, keeps declarations, and removes a step that it sets to nothing', async () => {
    const graph = await graphOf({
      'lib/base.yaml': base,
      'p.yaml':
        'name: mine\nextends: lib/base.yaml\nparams: { epochs: 5 }\nsteps: { t: { with: { rate: 0.5 }, retry: { delay: 1s } }, e: null }\n',
    });
    expect([graph.name, graph.seed, graph.pools['db']]).toEqual(['mine', 1, 1]);
    expect(graph.steps.map(({ id }) => id)).toEqual(['d', 't']);
    expect(graph.byId.get('t')).toMatchObject({
      params: { epochs: 5, rate: 0.5 },
      retry: { attempts: 2, delayMs: 1000 },
    });
    const wrong = await load({
      'lib/base.yaml': base,
      'p.yaml': 'name: mine\nextends: lib/base.yaml\nparams: { epochs: 0 }\n',
    });
    expect(wrong.diagnostics.map(({ code }) => code)).toEqual(['PARAM_VALUE']);
  });

  test('a mistake has its place in the file that it stands in', async () => {
    expect(
      await explain({
        'lib/base.yaml': base.replace('uses: evaluate', 'uses: evaluat'),
        'p.yaml': 'name: p\nextends: lib/base.yaml\n',
      }),
    ).toBe(`
lib/base.yaml:10:14 error PLUGIN_UNKNOWN  No installed package is the plugin "evaluat".
   10 |   e: { uses: evaluat, inputs: { model: t.model, dataset: d.dataset } }
      |              ^^^^^^^
  help: Did you mean "evaluate"?
`);
  });

  test('files that extend each other are told with every link', async () => {
    const told = await explain({
      'p.yaml': 'name: p\nextends: a.yaml\nsteps: { a: { uses: prepare } }\n',
      'a.yaml': 'extends: b.yaml\n',
      'b.yaml': 'include: [a.yaml]\n',
    });
    expect(told).toBe(`
b.yaml:1:11 error INCLUDE_CYCLE  a.yaml includes itself: a.yaml → b.yaml → a.yaml.
    1 | include: [a.yaml]
      |           ^^^^^^
  note: a.yaml names the next file here.
  a.yaml:1:10
    1 | extends: b.yaml
      |          ^^^^^^
  help: Remove one of the links.
`);
  });
});

describe('include', () => {
  test('adds params and steps, and paths are relative to the file', async () => {
    const graph = await graphOf({
      'p.yaml': 'name: p\ninclude: [lib/a.yaml, lib/b.yaml]\nsteps: { d: { uses: prepare } }\n',
      'lib/a.yaml': 'params: { n: 3 }\nsteps: { s: { uses: select, inputs: { dataset: d.dataset } } }\n',
      'lib/b.yaml': 'include: [c.yaml]\n',
      'lib/c.yaml':
        'steps: { t: { uses: train, with: { epochs: "${{ params.n }}" }, inputs: { dataset: d.dataset } } }\n',
    });
    expect(graph.steps.map(({ id }) => id)).toEqual(['d', 's', 't']);
  });

  test('what cannot be included is told', async () => {
    const { diagnostics } = await load({
      'p.yaml': 'name: p\ninclude: [a.yaml, gone.yaml]\nsteps: { d: { uses: prepare } }\n',
      'a.yaml': 'nme: a\nparms: { n: 3 }\nsteps: { d: { uses: select } }\n',
    });
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'UNKNOWN_KEY An included file has only params and steps, and no key "nme".',
      'UNKNOWN_KEY An included file has only params and steps, and no key "parms".',
      'INCLUDE_CONFLICT The included step "d" exists already.',
      'INCLUDE_UNREADABLE There is no file gone.yaml.',
    ]);
  });
});

describe('profiles', () => {
  const profiled = `${base}
profiles:
  quick: { params: { epochs: 1 }, seed: 9, pools: { db: 5 }, defaults: { timeout: 1m }, steps: { e: null, t: { cache: off } } }
  more: { steps: { new: { uses: prepare } } }
`;
  test('the chosen one changes the pipeline', async () => {
    const graph = await graphOf(profiled, { profile: 'quick' });
    expect([graph.seed, graph.pools['db'], graph.steps.map(({ id }) => id)]).toEqual([9, 5, ['d', 't']]);
    expect(graph.byId.get('t')).toMatchObject({
      params: { epochs: 1 },
      cache: 'off',
      timeoutMs: 60_000,
      retry: { attempts: 2 },
    });
    expect((await graphOf(profiled, { profile: 'more' })).byId.has('new')).toBe(true);
    expect((await graphOf(profiled)).seed).toBe(1);
    expect((await graphOf(profiled, { profile: 'quick', seed: 3 })).seed).toBe(3);
  });

  test('mistakes in one are told', async () => {
    const { diagnostics } = await load(`${base}\nprofiles: { quick: { step: {}, params: 3 } }\n`);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      '"profiles.quick" has no key "step".',
      '"profiles.quick.params" must be a map of keys, but is 3.',
    ]);
    expect((await load(base, { profile: 'quick' })).diagnostics[0]?.help).toBe('Its profiles are: none.');
  });
});

describe('schedule', () => {
  test('is checked beyond its shape', async () => {
    const steps = 'steps: { d: { uses: prepare } }\n';
    const told = await load(
      `name: p\nschedule: { cron: "* * * *", timezone: Mars/One, start: soon, overlap: skp }\n${steps}`,
    );
    expect(told.diagnostics.map(({ message }) => message)).toEqual([
      '"schedule.overlap" must be one of "skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other" or "allow_all", but is "skp".',
    ]);
    const later = await load(
      `name: p\nschedule: { cron: "* * * *", timezone: Mars/One, start: soon }\n${steps}`,
    );
    expect(later.diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'SCHEDULE_INVALID The cron expression has 4 fields, but must have five, or six with seconds.',
      'SCHEDULE_INVALID There is no time zone "Mars/One".',
      'SCHEDULE_INVALID "soon" is not a date.',
    ]);
    const right = await graphOf(
      `name: p\nschedule: { cron: "*/5 0-6,22 1 jan mon-fri", timezone: Asia/Seoul, start: "2026-01-31" }\n${steps}`,
    );
    expect(right.schedule?.timezone).toBe('Asia/Seoul');
  });
});
