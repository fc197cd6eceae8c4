# SPDX-License-Identifier: MIT
# embed.awk - the status page as a C string: awk -f embed.awk HTML CSS JS.
# In the HTML, lines @STYLE@ and @SCRIPT@ stand for the other two; @NONCE@ is
# left for each answer to fill in.
function put(text,    i, c, out) {
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "\\" || c == "\"" || c == "?") # ? for trigraphs
			out = out "\\"
		else if (c == "\t")
			c = "\\t"
		out = out c
	}
	print "\t\"" out "\\n\""
}

function put_file(path, tag,    line) {
	put("<" tag " nonce=\"@NONCE@\">")
	while ((getline line < path) > 0)
		put(line)
	close(path)
	put("</" tag ">")
}

BEGIN {
	css = ARGV[2]
	js = ARGV[3]
	ARGC = 2
	print "/* Made from status.html, status.css and status.js. */"
	print "#include \"modules/metrics/status.h\"\n"
	print "const char metrics_status_page[] ="
}

$0 == "@STYLE@" { put_file(css, "style"); next }
$0 == "@SCRIPT@" { put_file(js, "script"); next }
{ put($0) }

END { print "\t;" }
