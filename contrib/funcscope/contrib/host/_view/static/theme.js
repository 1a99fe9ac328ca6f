"use strict";
// Not a module: it runs before the page is painted, so that a dark page does not flash.
{
  const theme = localStorage.getItem("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
}
