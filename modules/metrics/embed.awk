# SPDX-License-Identifier: MIT
# embed.awk - the status page as a C string: awk -f embed.awk HTML CSS JS...
# In the HTML, lines @STYLE@ and @SCRIPT@ stand for the others; @NONCE@ is
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

# Arguments first to last, as one element.
function put_files(tag, first, last,    i, line) {
	put("<" tag " nonce=\"@NONCE@\">")
	for (i = first; i <= last; i++) {
		while ((getline line < ARGV[i]) > 0)
			put(line)
		close(ARGV[i])
	}
	put("</" tag ">")
}

BEGIN {
	files = ARGC - 1
	ARGC = 2
	print "/* Made from status.html, status.css and status.js. */"
	print "#include \"modules/metrics/status.h\"\n"
	print "const char metrics_status_page[] ="
}

$0 == "@STYLE@" { put_files("style", 2, 2); next }
$0 == "@SCRIPT@" { put_files("script", 3, files); next }
{ put($0) }

END { print "\t;" }
