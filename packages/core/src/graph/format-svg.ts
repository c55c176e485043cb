/** A graph as one SVG file that needs nothing else: light and dark, its text can be selected. */
import type { Graph, GraphStep } from './graph.ts';
import { groupGraph } from './group-graph.ts';
import type { GroupEdge, StepGroup } from './group-graph.ts';
import { layOut } from './layered-layout.ts';
import type { Layout } from './layered-layout.ts';
import { columnWidth, columnsOf, cutTo, drawnEnds, endSigns, escapeXml, styleSheet } from './svg-style.ts';
import type { DrawnEnd } from './svg-style.ts';

/** How the steps of a run went, to colour a graph by. */
export interface DrawnRun {
  /** A line under the title. */
  readonly title: string;
  /** By step id; a step that the run does not have is drawn without a colour. */
  readonly steps: ReadonlyMap<string, { readonly end: DrawnEnd; readonly took?: string }>;
}

/** Instances of a matrix that are drawn one by one; of more, only their number. */
const maxRows = 8;
/** In a graph of more steps than this, no instances are drawn. */
const maxSteps = 300;
/** Columns of the longest name that is drawn whole. */
const maxColumns = 44;
/** The widest card. */
const maxWidth = 460;
/** Instances that a tooltip names. */
const maxNamed = 40;

const margin = 24;
const headerHeight = 56;
const cardHeight = 44;
const rowHeight = 17;

const round = (value: number): number => Math.round(value * 10) / 10;

const isLeftOut = (group: StepGroup): boolean => group.steps.every((step) => !step.isEnabled);

/** What an instance is called inside its matrix: `train@lr=0.1` is `lr=0.1`. */
const instanceName = (step: GraphStep): string =>
  step.id === step.group ? step.id : step.id.slice(step.group.length + 1);

/** One step or matrix, ready to be drawn. */
interface Card {
  readonly group: StepGroup;
  readonly isMatrix: boolean;
  /** The instances that are drawn; empty where they are only counted. */
  readonly rows: readonly GraphStep[];
  /** Names of ports above it, left to right. */
  readonly labels: readonly { readonly edge: number; readonly text: string; readonly width: number }[];
  readonly width: number;
  readonly height: number;
}

/** Draws one graph; used once. */
class SvgDrawing {
  readonly #graph: Graph;
  readonly #run: DrawnRun | undefined;
  readonly #edges: readonly GroupEdge[];
  readonly #cards: readonly Card[];
  readonly #layout: Layout;

  constructor(graph: Graph, run: DrawnRun | undefined) {
    this.#graph = graph;
    this.#run = run;
    const { groups, edges } = groupGraph(graph);
    this.#edges = edges;
    const incoming: ReadonlyMap<number, readonly number[]> = Map.groupBy(
      edges.keys(),
      (index) => edges[index]?.to ?? 0,
    );
    this.#cards = groups.map((group, number) => this.#makeCard(group, incoming.get(number) ?? []));
    this.#layout = layOut(this.#cards, edges);
  }

  #makeCard(group: StepGroup, incoming: readonly number[]): Card {
    const isMatrix = group.steps.length > 1 || group.steps[0]?.id !== group.name;
    const isFolded = group.steps.length > maxRows || this.#graph.steps.length > maxSteps;
    const rows = isMatrix && !isFolded ? group.steps : [];
    const labels = incoming.map((edge) => {
      const text = cutTo(describePorts(this.#edges[edge]), 24);
      return { edge, text, width: columnsOf(text) * columnWidth.small + 14 };
    });
    const name = cutTo(group.name, maxColumns);
    const texts = [
      columnsOf(name) * columnWidth.mono + (isMatrix ? 44 : 0),
      columnsOf(this.#subtitle(group, rows.length)) * columnWidth.small + this.#sideWidth(group),
      ...rows.map(
        (step) =>
          columnsOf(cutTo(instanceName(step), maxColumns)) * 6.7 + 20 + (this.#run === undefined ? 0 : 64),
      ),
      Math.min(
        maxWidth - 40,
        labels.reduce((sum, label) => sum + label.width, 0),
      ),
    ];
    return {
      group,
      isMatrix,
      rows,
      labels,
      width: Math.min(maxWidth, Math.max(96, Math.max(...texts) + 28)),
      height: cardHeight + (rows.length === 0 ? 0 : rows.length * rowHeight + 8),
    };
  }

  #sideWidth(group: StepGroup): number {
    const [only] = group.steps;
    const took = only === undefined ? undefined : this.#run?.steps.get(only.id)?.took;
    if (this.#run === undefined || group.steps.length > 1) return 0;
    return columnsOf(took ?? '') * columnWidth.small + 26;
  }

  /** The second line of a card. */
  #subtitle(group: StepGroup, rows: number): string {
    const told = [`uses ${group.plugin}`];
    if (isLeftOut(group)) told.push('left out');
    else if (rows === 0 && group.steps.length > 1) told.push(...this.#countEnds(group));
    return cutTo(told.join(' · '), maxColumns + 16);
  }

  /** How many instances ended in each way. */
  #countEnds(group: StepGroup): readonly string[] {
    const ends = group.steps.map((step) => this.#run?.steps.get(step.id)?.end);
    return drawnEnds.flatMap((end) => {
      const count = ends.filter((item) => item === end).length;
      return count === 0 ? [] : [`${count} ${end}`];
    });
  }

  draw(): string {
    const { width, height } = this.#layout;
    const legend = this.#drawLegend(height + headerHeight + margin + 26);
    const fullWidth = Math.ceil(Math.max(width, 320, columnsOf(this.#heading()) * 6.4) + 2 * margin);
    const fullHeight = Math.ceil(height + headerHeight + 2 * margin + (legend === '' ? 0 : 26));
    const name = escapeXml(cutTo(this.#graph.name, 60));
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${fullWidth}" height="${fullHeight}" viewBox="0 0 ${fullWidth} ${fullHeight}" role="img" aria-labelledby="title description">
<title id="title">${escapeXml(this.#graph.name)}</title>
<desc id="description">${escapeXml(this.#heading())}</desc>
<style>${escapeXml(styleSheet).replaceAll('&quot;', '"')}</style>
<text class="title" x="${margin}" y="${margin + 12}">${name}</text>
<text x="${margin}" y="${margin + 30}">${escapeXml(this.#heading())}</text>
<g transform="translate(${margin} ${headerHeight + margin})">
${this.#edges.map((_, index) => this.#drawEdge(index)).join('\n')}
${this.#cards.map((_, number) => this.#drawCard(number)).join('\n')}
</g>
${legend}</svg>
`;
  }

  /** The line under the title. */
  #heading(): string {
    const { steps } = this.#graph;
    const told = [`${steps.length} step${steps.length === 1 ? '' : 's'}`];
    const left = steps.filter((step) => !step.isEnabled).length;
    if (left > 0) told.push(`${left} left out`);
    if (this.#run !== undefined) told.push(this.#run.title);
    return told.join(' · ');
  }

  #drawLegend(y: number): string {
    if (this.#run === undefined) return '';
    const known = new Set([...this.#run.steps.values()].map((step) => step.end));
    let x = margin;
    return drawnEnds
      .filter((end) => known.has(end))
      .map((end) => {
        const at = x;
        x += end.length * columnWidth.small + 34;
        return `<text x="${round(at)}" y="${y}"><tspan class="${end}">${endSigns[end]}</tspan> ${end}</text>\n`;
      })
      .join('');
  }

  #drawCard(number: number): string {
    const card = this.#cards[number];
    const place = this.#layout.nodes[number];
    if (card === undefined || place === undefined) return '';
    const { group, isMatrix, rows, width, height } = card;
    const x = round(place.x - width / 2);
    const isFolded = isMatrix && rows.length === 0;
    const size = `width="${round(width)}" height="${height}" rx="7"`;
    const [only] = group.steps;
    const end = group.steps.length === 1 && only !== undefined ? this.#run?.steps.get(only.id) : undefined;
    const count = isMatrix
      ? `<tspan dx="6" style="fill:var(--soft);font-weight:400">× ${group.steps.length}</tspan>`
      : '';
    return [
      `<g class="step${isLeftOut(group) ? ' left-out' : ''}" transform="translate(${x} ${place.y})">`,
      `<title>${escapeXml(this.#tooltip(group))}</title>`,
      // Cards behind it say that there are many.
      ...(isFolded ? [8, 4].map((shift) => `<rect class="card" x="${shift}" y="${shift}" ${size}/>`) : []),
      `<rect class="card" ${size}/>`,
      this.#drawBar(group, height),
      `<text class="name" x="14" y="19">${escapeXml(cutTo(group.name, maxColumns))}${count}</text>`,
      `<text x="14" y="35">${escapeXml(this.#subtitle(group, rows.length))}</text>`,
      ...(end === undefined ? [] : [drawEnd(end, width - 12, 35)]),
      ...rows.map((step, at) => this.#drawRow(step, width, cardHeight + at * rowHeight + 11)),
      '</g>',
    ].join('');
  }

  /** A bar at the left: one part for each way in which steps ended, in their shares. */
  #drawBar(group: StepGroup, height: number): string {
    const ends = group.steps.flatMap((step) => this.#run?.steps.get(step.id)?.end ?? []);
    if (ends.length === 0) return '';
    let y = 7;
    return drawnEnds
      .flatMap((end) => {
        const share = ends.filter((item) => item === end).length / ends.length;
        if (share === 0) return [];
        const length = round(share * (height - 14));
        const bar = `<rect class="${end}" x="4" y="${round(y)}" width="3.5" height="${length}" rx="1.7"/>`;
        y += length;
        return [bar];
      })
      .join('');
  }

  #drawRow(step: GraphStep, width: number, y: number): string {
    const end = this.#run?.steps.get(step.id);
    const name = escapeXml(cutTo(instanceName(step), maxColumns));
    const style = step.isEnabled ? '' : ' style="opacity:.55"';
    return `<g><title>${escapeXml(step.id)}</title><text class="row" x="14" y="${y}"${style}>${name}</text>${end === undefined ? '' : drawEnd(end, width - 12, y)}</g>`;
  }

  #tooltip(group: StepGroup): string {
    const lines = group.steps.slice(0, maxNamed).map((step) => {
      const end = this.#run?.steps.get(step.id);
      const how = end === undefined ? (step.isEnabled ? '' : ': left out') : `: ${end.end}`;
      return `${step.id}${how}${end?.took === undefined ? '' : ` in ${end.took}`}`;
    });
    const rest = group.steps.length - maxNamed;
    return [...lines, ...(rest > 0 ? [`and ${rest} more`] : []), `uses ${group.plugin}`].join('\n');
  }

  #drawEdge(index: number): string {
    const edge = this.#edges[index];
    const [from, to] = [this.#cards[edge?.from ?? -1], this.#cards[edge?.to ?? -1]];
    const [start, end] = [this.#layout.nodes[edge?.from ?? -1], this.#layout.nodes[edge?.to ?? -1]];
    if (
      edge === undefined ||
      from === undefined ||
      to === undefined ||
      start === undefined ||
      end === undefined
    )
      return '';
    const label = this.#placeLabel(index, to, end.x);
    let [x, y] = [start.x, start.y + from.height];
    let path = `M${round(x)} ${round(y)}`;
    const curveTo = (nextX: number, nextY: number): void => {
      const middle = (y + nextY) / 2;
      path += ` C${round(x)} ${round(middle)} ${round(nextX)} ${round(middle)} ${round(nextX)} ${round(nextY)}`;
      [x, y] = [nextX, nextY];
    };
    for (const { x: passX, top, bottom } of this.#layout.edges[index] ?? []) {
      curveTo(passX, top - 4);
      path += ` V${round(bottom)}`;
      y = bottom;
    }
    curveTo(label.x, end.y - 26);
    path += ` V${end.y - 7}`;
    const isOut = isLeftOut(from.group) || isLeftOut(to.group);
    const tip = end.y - 1;
    const told = edge.ports.map((port) => `${from.group.name}.${port}`).join(', ');
    return [
      `<g class="edge${isOut ? ' left-out' : ''}"><title>${escapeXml(`${told} → ${to.group.name}`)}</title>`,
      `<path d="${path}"/>`,
      `<polygon class="head" points="${round(label.x - 3.5)},${tip - 7} ${round(label.x + 3.5)},${tip - 7} ${round(label.x)},${tip}"/>`,
      ...(label.text === '' ? [] : [this.#drawLabel(label, end.y - 13)]),
      '</g>',
    ].join('');
  }

  /** A name on the line, which it interrupts. */
  #drawLabel({ x, text }: { readonly x: number; readonly text: string }, y: number): string {
    const width = columnsOf(text) * columnWidth.small + 2;
    return `<rect class="paper" x="${round(x - width / 2)}" y="${y - 10}" width="${round(width)}" height="13"/><text x="${round(x)}" y="${y}">${escapeXml(text)}</text>`;
  }

  /** Where an edge meets its target: edges from the left come in at the left, each with room for its name. */
  #placeLabel(index: number, to: Card, middle: number): { readonly x: number; readonly text: string } {
    const comesFrom = (edge: number): number =>
      this.#layout.edges[edge]?.at(-1)?.x ?? this.#layout.nodes[this.#edges[edge]?.from ?? -1]?.x ?? 0;
    const labels = to.labels.toSorted((left, right) => comesFrom(left.edge) - comesFrom(right.edge));
    const whole = labels.reduce((sum, label) => sum + label.width, 0);
    const room = to.width - 20;
    const scale = Math.min(1, room / Math.max(1, whole));
    let x = middle - (whole * scale) / 2;
    for (const label of labels) {
      const width = label.width * scale;
      if (label.edge === index) return { x: x + width / 2, text: scale < 0.8 ? '' : label.text };
      x += width;
    }
    return { x: middle, text: '' };
  }
}

function describePorts(edge: GroupEdge | undefined): string {
  if (edge === undefined) return '';
  const ports = edge.ports.join(', ');
  return edge.spread === undefined ? ports : `${ports} (${edge.spread})`;
}

function drawEnd(step: { readonly end: DrawnEnd; readonly took?: string }, x: number, y: number): string {
  const took = step.took === undefined ? '' : `${escapeXml(step.took)} `;
  return `<text class="end" x="${round(x)}" y="${y}">${took}<tspan class="${step.end}">${endSigns[step.end]}</tspan></text>`;
}

/** A graph as an SVG file, coloured by how the steps of a run went where one is given. */
export function formatSvg(graph: Graph, run?: DrawnRun): string {
  return new SvgDrawing(graph, run).draw();
}
