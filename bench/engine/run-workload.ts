/** Runs one workload with every tool, all cases, and checks each run before its figures count. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { LimitError, summarize } from '../shared/measure.ts';
import type { CommandLine, Meter, Sample, Summary } from '../shared/measure.ts';
import { cases, writeProject } from './tool.ts';
import type { Case, Tool } from './tool.ts';
import { expectResult, makeSources, ranLog } from './workloads.ts';
import type { Workload } from './workloads.ts';

/** How often one case of one tool is run. */
export interface Repeats {
  readonly least: number;
  readonly most: number;
  /** After the least, no more are begun once they took this long together. */
  readonly budgetMs: number;
}

/** How a workload is run. */
export interface WorkloadOptions {
  readonly meter: Meter;
  /** An empty folder for the projects. */
  readonly folder: string;
  readonly repeats: Readonly<Record<Case, Repeats>>;
  /** Seconds that one run may take. */
  readonly limitS: number;
  /** On the clock of performance.now(): from then on nothing is repeated. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** One case of one tool: what it cost, or why that is not known. */
export interface Cell {
  readonly tool: string;
  readonly kind: Case;
  readonly summary?: Summary;
  readonly samples: readonly Sample[];
  readonly skipped?: string;
  readonly error?: string;
}

/** All cells of a workload. */
export interface WorkloadResult {
  readonly name: string;
  readonly steps: number;
  /** Load average of the last minute, before and after. */
  readonly load: readonly [number, number];
  readonly cells: readonly Cell[];
}

/** One tool's project of one workload. */
class Project {
  readonly tool: Tool;
  readonly #workload: Workload;
  readonly #folder: string;
  readonly #options: WorkloadOptions;
  #sources: Map<string, string>;
  #edits = 0;

  constructor(tool: Tool, workload: Workload, options: WorkloadOptions) {
    this.tool = tool;
    this.#workload = workload;
    this.#folder = join(options.folder, `${workload.name}-${tool.name.replaceAll(/\W+/g, '-')}`);
    this.#options = options;
    this.#sources = makeSources(workload);
  }

  /** Makes everything anew. */
  #reset(): void {
    this.remove();
    mkdirSync(this.#folder);
    this.#sources = makeSources(this.#workload);
    writeProject(this.#folder, this.tool, this.#workload);
  }

  /** Brings about what a case starts from; gives the number of steps that have to run then. */
  #arrange(kind: Case): number {
    const { steps, leaf } = this.#workload;
    switch (kind) {
      case 'fresh':
        this.#reset();
        return steps.length;
      case 'noop':
        return 0;
      case 'leaf': {
        const content = `changed ${++this.#edits}\n`;
        this.#sources.set(leaf.source, content);
        writeFileSync(join(this.#folder, leaf.source), content);
        return leaf.reruns;
      }
      case 'restore':
        rmSync(join(this.#folder, 'out'), { recursive: true });
        return 0;
    }
  }

  /** Why the outputs are not what they have to be; undefined when they are. */
  #findProblem(expectedRuns: number, { isCounted = true } = {}): string | undefined {
    const log = join(this.#folder, ranLog);
    const ran = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
    if (isCounted && ran !== expectedRuns) return `${ran} steps ran instead of ${expectedRuns}`;
    const { steps } = this.#workload;
    const present = new Set(readdirSync(join(this.#folder, 'out')).map((name) => `out/${name}`));
    const missing = steps.filter((step) => !present.has(step.output));
    if (missing.length > 0)
      return `${missing.length} outputs are missing, such as ${missing[0]?.output ?? ''}`;
    const last = readFileSync(join(this.#folder, steps.at(-1)?.output ?? ''), 'utf8');
    return last === expectResult(this.#workload, this.#sources) ? undefined : 'the last output is wrong';
  }

  async #measure(command: CommandLine, expectedRuns: number): Promise<Sample> {
    rmSync(join(this.#folder, ranLog), { force: true });
    const { meter, limitS } = this.#options;
    const sample = await meter.run(command, this.#folder, limitS);
    const problem = this.tool.isRunner ? this.#findProblem(expectedRuns) : undefined;
    if (problem !== undefined) throw new Error(problem);
    return sample;
  }

  /** Runs one case once. */
  async run(kind: Case): Promise<Sample> {
    const expectedRuns = this.#arrange(kind);
    return this.#measure(this.tool.command(this.#folder, this.#workload), expectedRuns);
  }

  /** Fills the cache for the cases after a fresh run that is not measured. */
  async prime(): Promise<void> {
    const expectedRuns = this.#arrange('fresh');
    const command = (this.tool.primer ?? this.tool.command)(this.#folder, this.#workload);
    await this.#measure(command, expectedRuns);
  }

  /** Goes on with a fresh run that was ended by its limit, so that the other cases can be measured. */
  async resume(): Promise<void> {
    const command = this.tool.command(this.#folder, this.#workload);
    await this.#options.meter.run(command, this.#folder, this.#options.limitS);
    const problem = this.#findProblem(0, { isCounted: false });
    if (problem !== undefined) throw new Error(problem);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const say = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What the cases of one workload share. */
interface Session {
  readonly workload: Workload;
  readonly projects: readonly Project[];
  readonly options: WorkloadOptions;
  /** Why a tool is left out from then on. */
  readonly broken: Map<Project, string>;
  /** Tools whose fresh run was ended by the limit, and how that is told. */
  readonly slow: Map<Project, string>;
}

/** Runs something of a project; a tool that fails is left out from then on. */
async function attempt(
  project: Project,
  what: string,
  run: () => Promise<void>,
  session: Session,
): Promise<void> {
  const { broken, slow, options } = session;
  if (broken.has(project) || (what === 'fresh' && slow.has(project))) return;
  try {
    await run();
  } catch (error) {
    options.signal.throwIfAborted();
    const told = `${what}: ${say(error)}`;
    if (what !== 'fresh' || !(error instanceof LimitError)) {
      broken.set(project, told);
      return;
    }
    slow.set(project, told);
    await attempt(project, 'first run', () => project.resume(), session);
  }
}

/** Runs one case of all tools, in rounds, so that what disturbs the machine disturbs all of them. */
async function runCase(kind: Case, session: Session): Promise<ReadonlyMap<Project, readonly Sample[]>> {
  const { least, most, budgetMs } = session.options.repeats[kind];
  const projects = session.projects.filter(({ tool }) => tool.skip(session.workload, kind) === undefined);
  const samples = new Map<Project, Sample[]>(projects.map((project) => [project, []]));
  // Not timed: a first run without changes takes note of times that were too fresh to be trusted.
  if (kind === 'noop')
    for (const project of projects)
      await attempt(project, kind, async () => void (await project.run(kind)), session);
  for (let round = 0; round < most; round++) {
    if (round > 0 && performance.now() > session.options.deadlineMs) break;
    for (const project of projects) {
      const known = samples.get(project) ?? [];
      const usedMs = known.reduce((sum, sample) => sum + sample.wallMs, 0);
      if (round >= least && usedMs > budgetMs) continue;
      await attempt(project, kind, async () => void known.push(await project.run(kind)), session);
    }
  }
  return samples;
}

/** A tool whose fresh run is not measured needs one all the same, when another case is. */
async function prime(session: Session): Promise<void> {
  for (const project of session.projects) {
    const isMeasured = (kind: Case): boolean => project.tool.skip(session.workload, kind) === undefined;
    if (isMeasured('fresh') || !cases.some(isMeasured)) continue;
    await attempt(project, 'first run', () => project.prime(), session);
  }
}

function makeCell(project: Project, kind: Case, samples: readonly Sample[], session: Session): Cell {
  const skipped = project.tool.skip(session.workload, kind);
  const error = (kind === 'fresh' ? session.slow.get(project) : undefined) ?? session.broken.get(project);
  return {
    tool: project.tool.name,
    kind,
    samples,
    ...(samples.length > 0 && error === undefined ? { summary: summarize(samples) } : {}),
    ...(error === undefined ? {} : { error }),
    ...(skipped === undefined ? {} : { skipped }),
  };
}

/** Runs a workload with all tools; a tool that fails loses only its own figures. */
export async function runWorkload(
  workload: Workload,
  tools: readonly Tool[],
  options: WorkloadOptions,
): Promise<WorkloadResult> {
  const before = loadavg()[0] ?? Number.NaN;
  const projects = tools.map((tool) => new Project(tool, workload, options));
  const session: Session = { workload, projects, options, broken: new Map(), slow: new Map() };
  const cells: Cell[] = [];
  try {
    await prime(session);
    for (const kind of cases) {
      const samples = await runCase(kind, session);
      for (const project of projects)
        cells.push(makeCell(project, kind, samples.get(project) ?? [], session));
    }
  } finally {
    for (const project of projects) project.remove();
  }
  const after = loadavg()[0] ?? Number.NaN;
  return { name: workload.name, steps: workload.steps.length, load: [before, after], cells };
}
