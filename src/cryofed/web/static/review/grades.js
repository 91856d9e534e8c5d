// Grades that people know from other programs, as labels: RELION's six colour groups, CryoSift's five grades.
import { $, element } from "./panel.js";

// `good`: whether a class of that grade is kept. RELION's own groups are all selected ones; CryoSift keeps up to 3.
export const SCALES = {
  none: { name: "No grades", grades: [] },
  "relion-colour": { name: "RELION's six colour groups", grades: [
    ["1 red", true], ["2 green", true], ["3 blue", true], ["4 cyan", true], ["5 magenta", true], ["6 yellow", true]] },
  grade: { name: "CryoSift's grades", grades: [
    ["1 best", true], ["2 decent", true], ["3 acceptable", true], ["4 bad", false], ["5 unusable", false]] },
};

export const gradeName = (scale, grade) => (grade ? SCALES[scale].grades[grade - 1][0] : "");

export class Grades {
  constructor(page) {
    this.page = page;
    $("scale").closest("section").hidden = !page.gallery.saving.files;  // a library's own labels are yes or no here
    for (const [key, { name }] of Object.entries(SCALES)) $("scale").add(new Option(name, key));
    $("scale").addEventListener("change", () => page.decisions.setScale($("scale").value));
    $("grades").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.give(Number(button.dataset.grade));
    });
  }

  // To the class in focus; the same grade again takes it back.
  give(grade) {
    const { decisions, grid, zoom } = this.page, i = zoom.isOpen() ? zoom.index : grid.focused, { grades } = SCALES[decisions.scale];
    if (i < 0 || grade > grades.length) return;
    decisions.setGrade(i, decisions.grade[i] === grade ? 0 : grade, grades[grade - 1][1]);
  }

  refresh() {
    const { scale } = this.page.decisions;
    $("scale").value = scale;
    if (this.shown === scale) return;
    this.shown = scale;
    $("grades").replaceChildren(...SCALES[scale].grades.map(([name], k) => {
      const button = element("button", name);
      button.dataset.grade = k + 1;
      button.title = `To the class in focus (Shift ${k + 1})`;
      return button;
    }));
    $("grades").hidden = scale === "none";
  }
}
