// What the grid and those who use it agree on. Types only: no browser loads this file.
/** @typedef {{ cell: HTMLElement, last: string, text: Text, [extra: string]: any }} CellState */
/**
 * @typedef {object} Column
 * @property {string} id
 * @property {string} label
 * @property {string} [title]
 * @property {number} width least width in px
 * @property {number} [grow] its share of what is left
 * @property {boolean} [end] numbers stand at the end
 * @property {boolean} [unsortable]
 * @property {string} [className]
 * @property {(index: number) => string} text what the cell says
 * @property {(state: CellState) => void} [build] adds more than a text to a new cell
 * @property {(state: CellState, index: number, hasty: boolean) => void} [paint] after the text is set; hasty while rows pass faster than they can be drawn
 */
/**
 * @typedef {object} Source
 * @property {() => number} count
 * @property {(index: number) => string} key
 * @property {(key: string) => number} indexOf -1 when it is not shown
 * @property {(index: number) => string} rowClass
 * @property {(index: number) => number} [depth]
 * @property {(index: number) => string} [fold] "open", "folded" or ""
 * @property {(index: number) => [number, number]} [place] position among siblings and their number
 */
/**
 * @typedef {object} GridOptions
 * @property {HTMLElement} host
 * @property {string} label
 * @property {Source} source
 * @property {(column: string) => void} [onSort]
 * @property {(widths: Record<string, number>) => void} [onWidths] people dragged a column's edge; without it columns keep their widths
 * @property {(columns: string[]) => void} [onOrder] people dragged a column to another place
 * @property {(key: string, how: 'pointer' | 'keys') => void} [onSelect]
 * @property {(key: string) => void} [onOpen]
 * @property {(index: number, open: boolean) => void} [onFold]
 * @property {(event: KeyboardEvent) => boolean} [onKey] true when it was handled
 * @property {() => void} [onWhole] called once, when each row that has room is there
 */
/** @typedef {{ element: HTMLElement, key: string, index: number, cells: CellState[], className: string, top: number, said: Record<string, string | number> }} Row */
export {};
